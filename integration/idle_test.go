package integration

import (
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// presence waits for a position of the idle switch: "busy", "idle", or "unknown".
func (s *scene) presence(position string) {
	s.Helper()
	s.status("idle " + position)
	for _, name := range []string{"busy", "idle"} {
		state := "inactive"
		if name == position {
			state = "active"
		}
		s.expect(state, name+".target")
	}
}

func TestIdleWhileEverySessionIs(t *testing.T) {
	const first = 1
	s := begin(t, sandbox.Options{})
	s.enable("tidy.service", whileUnit("idle.target"))
	s.install()
	s.presence("busy")
	s.must(s.Login1.SetIdleHint(first, true))
	s.presence("idle")
	s.expect("active", "tidy.service")

	begins := func(kind fakes.SessionKind) (number int) {
		t.Helper()
		number, err := s.Login1.BeginSession(sandbox.UID, kind)
		s.must(err)
		return number
	}
	remote := begins(fakes.SessionKind{Type: "x11"})
	s.presence("busy")
	s.expect("inactive", "tidy.service")
	s.must(s.Login1.SetIdleHint(remote, true))
	s.presence("idle")
	begins(fakes.SessionKind{Type: "tty"}) // SSH
	console := begins(fakes.SessionKind{Type: "tty", Seat: "seat0"})
	s.presence("busy")
	s.must(s.Login1.BecomeGraphical(console))
	s.must(s.Login1.SetIdleHint(console, true))
	s.presence("idle")
	s.started("tidy.service", 3)

	// A restarted logind says the same again.
	s.must(s.Login1.Vanish())
	s.status("idle idle (in doubt: logind is not running")
	s.must(s.Login1.Appear(s.ctx))
	s.presence("idle")
	s.started("tidy.service", 3)
	s.started("lock.target", 0)

	for _, number := range []int{console, remote, first} {
		s.must(s.Login1.EndSession(number))
	}
	s.presence("unknown")
	s.neverBoth("busy.target", "idle.target")
}

func TestDoctorOnADesktopThatSetsNoIdleHint(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.clean("")
	s.enable("tidy.service", whileUnit("idle.target"))
	f := s.finds("", "has not set logind's IdleHint since you logged in, but tidy.service would follow it")
	if !strings.Contains(f.why, "busy.target is always active") {
		t.Errorf("the reason is %s", f.why)
	}
	s.must(s.Login1.SetIdleHint(1, true))
	s.clean("")
	s.must(s.Login1.SetIdleHint(1, false))
	s.clean("")
}
