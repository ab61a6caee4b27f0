package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// beginRunning brings up a sandbox with a last sync, which leaves a file with its name
// when it has finished.
func beginRunning(t *testing.T, options sandbox.Options) *scene {
	t.Helper()
	s := begin(t, options)
	s.Login1.SetInhibitDelayMax(enoughDelay)
	s.enable("last-sync.service", "[Unit]\nAfter=before-shutdown.target\n[Service]\nType=oneshot\nExecStart=/bin/sleep 2\nExecStart=/usr/bin/touch "+
		sandbox.Home+"/last-sync.service\n[Install]\nWantedBy=before-shutdown.target\n")
	s.install()
	s.online()
	s.locksOn("shutdown", 1)
	return s
}

func TestUnitsFinishBeforeTheMachineShutsDown(t *testing.T) {
	for _, generation := range []fakes.Generation{fakes.Logind262, fakes.Logind252} {
		t.Run(string(generation), func(t *testing.T) {
			s := beginRunning(t, sandbox.Options{Login1: generation})
			s.expect("inactive", "before-shutdown.target")
			for round := 1; round <= 2; round++ {
				s.must(s.Login1.PrepareForShutdown(true))
				s.locksOn("shutdown", 0)
				s.finished("last-sync.service")
				s.expect("active", "before-shutdown.target", "internet-online.target")
				s.expect("inactive", "sleep.target")
				s.locks(1)
				s.must(s.Login1.PrepareForShutdown(false)) // cancelled
				s.expect("inactive", "before-shutdown.target", "wake.target")
				s.locksOn("shutdown", 1)
				for _, unit := range []string{"before-shutdown.target", "last-sync.service"} {
					s.started(unit, round)
				}
			}
		})
	}
}

func TestAUnitThatTakesTooLongDoesNotKeepTheMachineRunning(t *testing.T) {
	s := beginRunning(t, sandbox.Options{})
	s.delayMax(5 * time.Second)
	s.enable("endless.service", "[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=before-shutdown.target\n")
	s.must(s.Login1.PrepareForShutdown(true))
	s.locksOn("shutdown", 0)
	s.waitLog("shutdown begins with units unfinished")
	if log := s.log(); !strings.Contains(log, "endless.service") {
		t.Errorf("the log does not name the unit:\n%s", log)
	}
}

func TestALockOnShutdownThatIsRefusedIsSaidOnce(t *testing.T) {
	const complaint = "logind does not let this user delay shutdown"
	s := begin(t, sandbox.Options{})
	s.Login1.RefuseLocks(noPolkit)
	s.install()
	s.online()
	s.says(complaint)
	s.status(", the delay lock on shutdown is refused")
	s.Login1.RefuseLocks(dbus.Error{})
	s.systemctl("reload", bridgeUnit)
	s.locksOn("shutdown", 1)
	s.says(complaint)
}
