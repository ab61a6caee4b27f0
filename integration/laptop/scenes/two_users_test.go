package scenes

import (
	"fmt"
	"testing"
)

// anotherUser adds a user to the laptop until the end of the scene, and returns
// the scene as that one sees it.
func (s *scene) anotherUser() *scene {
	s.Helper()
	other := &scene{T: s.T, ctx: s.ctx, since: s.since, who: account{"other", uid + 1}}
	s.Cleanup(func() {
		if s.Failed() {
			s.Logf("%s:", other.who.name)
			other.tellEvents()
		}
	})
	s.root("useradd --create-home --uid 1001 --shell /bin/bash other")
	s.afterwards("loginctl terminate-user other; while systemctl --quiet is-active user@1001; do sleep 0.1; done; userdel --remove other 2>&1")
	return other
}

func TestTwoUsersAtOnce(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	// A user's manager ends with the last session.
	s.suspendWithLid("InhibitDelayMaxSec=30\nUserStopDelaySec=0\n")
	other := s.anotherUser()
	session, otherSession := s.enter("seat", atTheSeat("tty7")...), other.enter("other-seat", atTheSeat("tty8")...)
	other.meet()
	for who, seconds := range map[*scene]int{s: 1, other: 6} {
		who.enable(map[string]string{
			"screen-off.service": beforeSleep(seconds, lidClosed, ""),
			"say-good.service":   beforeSleep(seconds, sleep, ""),
		})
		who.install()
		who.lid(lidOpen)
		who.lock(unlocked)
		who.oneLock()
	}

	s.root("loginctl lock-session " + session)
	s.lock(locked)
	s.root("loginctl lock-session " + otherSession)
	other.lock(locked)
	s.root("loginctl unlock-session " + session)
	s.lock(unlocked)
	other.lock(locked)
	s.root("loginctl unlock-session " + otherSession)
	other.lock(unlocked)
	for _, who := range []*scene{s, other} {
		who.starts(map[string]int{locked: 1, unlocked: 2})
	}

	before := s.slept()
	s.closeToSleep()
	for _, who := range []*scene{s, other} {
		who.lid(lidOpen)
		who.lock(unlocked)
		who.starts(map[string]int{
			lidClosed: 1, "screen-off.service": 1, sleep: 1, "say-good.service": 1, lidOpen: 2, locked: 2, unlocked: 3,
		})
		who.wrote(fmt.Sprintln(before), "screen-off", "say-good")
		who.oneLock()
	}

	s.internet(online)
	s.record()
	s.root("systemctl stop other-seat")
	s.until("the other user is gone", func() bool {
		return s.root("systemctl show --value --property=ActiveState user@1001") == "inactive"
	})
	s.starts(map[string]int{bridgeUnit: 0, online: 0, offline: 0, lidOpen: 0, lidClosed: 0, locked: 0, unlocked: 0, sleep: 0})
	s.oneLock()

	s.closeToSleep()
	s.lid(lidOpen)
	s.lock(unlocked)
	s.starts(map[string]int{
		lidClosed: 1, "screen-off.service": 1, sleep: 1, "say-good.service": 1, lidOpen: 1, locked: 1, unlocked: 1,
	})
	s.wrote(fmt.Sprintf("%d\n%d\n", before, before+1), "screen-off", "say-good")
	s.oneLock()
}
