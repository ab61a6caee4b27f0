package integration

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// While the screen is locked, the bridge believes nothing more until the user manager has
// told it of crashes. Here the manager takes its time, and meanwhile a session says
// something and ends.
func TestTheLastWordOfASessionCounts(t *testing.T) {
	for name, test := range map[string]struct {
		before, meanwhile string
		want              string
	}{
		"it unlocks":                 {"1 Lock", "1 hint true, 1 Unlock, 1 ends", "unlocked"},
		"its hint falls":             {"1 hint true", "1 Lock, 1 hint false, 1 ends", "unlocked"},
		"it unlocks and locks":       {"1 Lock", "1 Unlock, 1 Lock, 1 ends", "locked"},
		"it unlocks, another stays":  {"2 begins, 1 Lock", "1 hint true, 1 Unlock, 1 ends", "unlocked"},
		"it locks what was unlocked": {"2 begins, 1 Lock, 2 Lock, 2 Unlock", "1 hint true, 1 Lock, 1 ends", "locked"},
		"it unlocks, another begins": {"1 Lock", "1 hint true, 1 Unlock, 1 ends, 2 begins", "unlocked"},
		"two unlock, one by one":     {"2 begins, 1 Lock, 2 Lock", "1 hint true, 1 Unlock, 1 ends, 2 Unlock, 2 ends", "unlocked"},
		"it unlocks after a sleep":   {"sleep", "wake, 1 hint true, 1 Unlock, 1 ends", "unlocked"},
		"logind goes away":           {"1 Lock", "1 hint true, 1 Unlock, logind goes", "unlocked"},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, sandbox.Options{})
			s.enable("locker.service", whileUnit("lock.target"))
			s.install()
			s.lock("unlocked")
			for what := range strings.SplitSeq(test.before, ", ") {
				s.happens(what)
			}
			s.lock("locked")
			s.settle()

			s.must(s.User.Signal(syscall.SIGSTOP))
			for what := range strings.SplitSeq(test.meanwhile, ", ") {
				s.happens(what)
			}
			s.must(s.User.Signal(syscall.SIGCONT))
			s.until("the bridge believes it all", s.believesAll)
			s.lock(test.want)
			s.settle()
			s.lock(test.want)
		})
	}
}

// believesAll reports whether the bridge has read the same sessions for the lock as for
// idleness, of which it believes everything at once.
func (s *scene) believesAll() bool {
	facts := s.get("Facts")
	for number := 1; number <= 2; number++ {
		session := fmt.Sprintf("logind.session._3%d.", number)
		if strings.Contains(facts, session+"LockedHint") != strings.Contains(facts, session+"IdleHint") {
			return false
		}
	}
	return true
}

// happens makes a session, or logind, do something, and waits until the bridge has heard
// of sessions that have begun or ended. The test begins with session 1.
func (s *scene) happens(what string) {
	s.Helper()
	var number int
	word := what
	if _, err := fmt.Sscanf(what, "%d", &number); err == nil {
		_, word, _ = strings.Cut(what, " ")
	}
	isThere := func() bool {
		return strings.Contains(s.get("Facts"), fmt.Sprintf(`"logind.session._3%d.IdleHint"`, number))
	}
	switch word {
	case "begins":
		_, err := s.Login1.BeginSession(sandbox.UID, fakes.SessionKind{Type: "wayland", Seat: "seat0"})
		s.must(err)
		s.until("the bridge knows the session", isThere)
	case "ends":
		s.must(s.Login1.EndSession(number))
		s.until("the bridge knows the end", func() bool { return !isThere() })
	case "logind goes":
		number = 1
		s.must(s.Login1.Vanish())
		s.until("the bridge knows that logind has gone", func() bool { return !isThere() })
	case "sleep", "wake":
		s.must(s.Login1.PrepareForSleep(word == "sleep"))
	case "Lock", "Unlock":
		s.must(s.Login1.AskSessionToLock(number, word == "Lock"))
	case "hint true", "hint false":
		s.must(s.Login1.SetSessionsHint(number, word == "hint true"))
	default:
		s.Fatalf("nothing is called %q", what)
	}
}
