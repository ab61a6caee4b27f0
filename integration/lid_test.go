package integration

import (
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// lid waits for a position of the lid switch.
func (s *scene) lid(position string) {
	s.Helper()
	other := map[string]string{"open": "closed", "closed": "open"}[position]
	s.expect("active", "lid-"+position+".target")
	s.expect("inactive", "lid-"+other+".target")
}

func TestLidClosedBeforeTheBridgeStarts(t *testing.T) {
	s := begin(t, sandbox.Options{LidClosed: true})
	s.install()
	s.lid("closed")
	s.started("lid-open.target", 0)
	s.must(s.Login1.SetLid(false))
	s.lid("open")
}

func TestLidSignalRepeated(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("closed.service", onceUnit("lid-closed.target"))
	s.install()
	s.lid("open")
	for range 3 {
		// A real logind repeats the signal at its start, once for each button.
		s.must(s.Login1.SetLid(true))
	}
	s.lid("closed")
	s.must(s.Login1.SetLid(false))
	s.lid("open")
	s.started("closed.service", 1)
	s.started("lid-closed.target", 1)
	s.started("lid-open.target", 2)
}

func TestASignalThatMakesNoSenseIsReadAnew(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.lid("open")
	s.Login1.MoveLidUnseen(true)
	s.must(s.Login1.Babble())
	s.lid("closed")
	s.says("reading logind again: its PropertiesChanged signal made no sense")
}

func TestLogindRestarts(t *testing.T) {
	s := begin(t, sandbox.Options{LidClosed: true})
	s.flags("--gone-grace=1h")
	s.install()
	s.lid("closed")
	s.must(s.Login1.Vanish())
	s.status("lid closed (in doubt: logind is not running)")
	// As it starts, it signals for a moment that the closed lid is open.
	s.must(s.Login1.Appear(s.ctx))
	<-s.Login1.Looked()
	s.settle()
	s.status("internet online")
	s.status("lid closed")
	s.must(s.Login1.Vanish())
	s.status("lid closed (in doubt: logind is not running)")
	s.must(s.Login1.SetLid(false))
	s.must(s.Login1.Appear(s.ctx))
	s.lid("open")
	s.started("lid-open.target", 1)
	s.started("lid-closed.target", 1)
}

func TestALogindThatDoesNotSignalTheLidIsPolled(t *testing.T) {
	s := begin(t, sandbox.Options{Login1: fakes.Logind252})
	s.install()
	s.lid("open")
	s.must(s.Login1.SetLid(true))
	s.lid("closed")
	s.must(s.Login1.SetLid(false))
	s.lid("open")
	s.says("the lid is read by polling logind every 2s")
	s.status("lid open (by polling logind every 2s)")
	s.started("lid-closed.target", 1)
}
