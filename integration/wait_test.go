package integration

import (
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// waits runs wait with these arguments and checks how it ends. What it prints is one
// line on standard error, with these words, or nothing.
func (s *scene) waits(status int, arguments, words string) {
	s.Helper()
	line := "nm-session-bridge wait " + arguments
	var said string
	if status == 0 {
		said = s.user(line)
	} else {
		said = s.fails(status, line+" 2>&1 >/dev/null")
	}
	if (status == 0) != (said == "") || strings.Count(said, "\n") > 0 || !strings.Contains(said, words) {
		s.Errorf("%s printed %q, not one line with %q", line, said, words)
	}
}

func TestWaitReturnsWhereThingsStandAsAskedFor(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	s.waits(0, "internet online", "")
	s.waits(0, "internet=online lid=open", "")
	s.waits(0, "--not internet portal", "")
	s.waits(0, "--timeout=1m lid=open internet=online connection=home", "")
	s.waits(1, "--timeout=3s lid closed", "lid is open (")
	s.waits(1, "--timeout=3s internet=online lid=closed", "gave up after 3s: lid is open")
	s.waits(1, "--timeout=3s --not internet online", "internet is online (")
	s.waits(1, "--timeout=3s connection work", "connection is home")
	s.user("nm-session-bridge set lid closed")
	s.waits(0, "lid closed", "")
	s.systemctl("stop", bridgeUnit)
	s.waits(3, "lid closed", "doctor says why")
}

// A unit may wait for the position of its own target. The wait would never end if it
// waited for that target.
func TestAUnitThatItsTargetWantsCanWait(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	s.enable("sync.service", strings.Replace(syncUnit, "[Service]\n", "[Service]\nExecStartPre=%h/.local/bin/nm-session-bridge wait internet online\n", 1))
	s.enable("before.service", "[Unit]\nBefore=internet-online.target\n[Service]\nType=oneshot\nExecStart=%h/.local/bin/nm-session-bridge wait internet=online\n[Install]\nWantedBy=internet-online.target\n")
	s.install()
	s.expect("active", "internet-offline.target")
	s.plug()
	s.expect("active", "internet-online.target", "sync.service")
	s.started("sync.service", 1)
	s.started("before.service", 1)
}

// Units that run offline have ended when the wait for online returns.
func TestWaitGoesOnUntilTheOtherTargetsHaveStopped(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("offline.service", "[Unit]\nAfter=internet-offline.target\nPartOf=internet-offline.target\n[Service]\nExecStart=/bin/sleep infinity\n"+
		"ExecStop=/bin/sh -c 'until [ -e %t/released ]; do sleep 0.1; done'\n[Install]\nWantedBy=internet-offline.target\n")
	s.install()
	s.online()
	s.user("nm-session-bridge set internet offline")
	s.expect("active", "offline.service")
	s.user("nm-session-bridge set internet auto")
	s.expect("deactivating", "offline.service")
	s.waits(1, "--timeout=3s internet online", "not stopped yet: internet-offline.target")
	s.user("nm-session-bridge wait --timeout=1m internet online && nm-session-bridge status > $XDG_RUNTIME_DIR/waited & touch $XDG_RUNTIME_DIR/released; wait $!")
	if status := s.user("cat $XDG_RUNTIME_DIR/waited"); !strings.Contains(status, "○ offline.service") {
		t.Errorf("the wait ended before the units had stopped: %s", status)
	}
}

func TestWaitOutlivesTheBridge(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	s.user("sh -c 'nm-session-bridge wait lid=closed internet=offline; echo $?' > $XDG_RUNTIME_DIR/waited 2>&1 &\n" +
		"until [ $(busctl --user list --unique | grep -c nm-session-brid) -gt 1 ]; do sleep 0.1; done")
	s.systemctl("restart", bridgeUnit)
	s.user("nm-session-bridge set lid closed")
	s.user("nm-session-bridge wait --timeout=1m lid closed")
	s.user("nm-session-bridge set internet offline")
	if said := s.user("until [ -s $XDG_RUNTIME_DIR/waited ]; do sleep 0.1; done; cat $XDG_RUNTIME_DIR/waited"); said != "0" {
		t.Errorf("wait said %q", said)
	}
}
