package integration

import (
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// This holds whatever put the lock into its position, and whatever happens to the
// bridge and to logind before or after.
func TestTheEndOfTheLastSessionLeavesTheLockAsItIs(t *testing.T) {
	faults := map[string]func(*scene){
		"the bridge is killed": func(s *scene) {
			s.record()
			s.systemctl("kill", "-s", "KILL", bridgeUnit)
			s.must(s.timeline.WaitStarts(s.ctx, bridgeUnit, 1))
			s.expect("active", bridgeUnit)
		},
		"logind restarts": func(s *scene) {
			s.must(s.Login1.Vanish())
			s.expect("inactive", "lid-open.target") // now a grace is over
			s.must(s.Login1.Appear(s.ctx))
			s.expect("active", "lid-open.target")
		},
	}
	for name, lock := range map[string]struct {
		position string
		by       func(*scene)
	}{
		"unlocked":         {"unlocked", func(*scene) {}},
		"locked by Lock":   {"locked", func(s *scene) { s.must(s.Login1.AskToLock(true)) }},
		"locked by a hint": {"locked", func(s *scene) { s.must(s.Login1.SetLockedHint(true)) }},
		"locked by hand":   {"locked", func(s *scene) { s.systemctl("start", "lock.target") }},
		"held locked":      {"locked", func(s *scene) { s.user("nm-session-bridge set lock locked") }},
		"locked by a sleep": {"locked", func(s *scene) {
			s.must(s.Login1.PrepareForSleep(true))
			s.expect("active", "sleep.target", "lock.target")
			s.must(s.Login1.PrepareForSleep(false))
			s.expect("inactive", "sleep.target")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, sandbox.Options{})
			s.enable("locker.service", lockerUnit)
			s.flags("--gone-grace=100ms")
			s.install()
			runs := func() string { return s.systemctl("show", "--value", "--property=InvocationID", "locker.service") }
			for what, happens := range faults {
				for _, isFirst := range []bool{true, false} {
					s.Logf("%s, first: %t", what, isFirst)
					s.systemctl("reset-failed") // this resets how often units were started
					s.lock("unlocked")
					lock.by(s)
					s.lock(lock.position)
					run := runs()
					if isFirst {
						happens(s)
					}
					s.must(s.Login1.SetSession(sandbox.UID, false))
					s.knows("the user has no graphical session", true)
					if !isFirst {
						happens(s)
					}
					s.settle()
					s.lock(lock.position)
					if lock.position == "locked" {
						s.expect("active", "locker.service")
					}
					if now := runs(); now != run {
						s.Errorf("another locker runs: %s, not %s", now, run)
					}
					s.must(s.Login1.SetSession(sandbox.UID, true))
					s.user("nm-session-bridge set lock auto")
					s.knowsTheSession()
					s.must(s.Login1.AskToLock(false))
				}
			}
		})
	}
}
