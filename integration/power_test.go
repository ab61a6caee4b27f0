package integration

import (
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// power waits for a position of the power switch: "ac" or "battery".
func (s *scene) power(position string) {
	s.Helper()
	other := map[string]string{"ac": "battery", "battery": "ac"}[position]
	s.expect("active", "power-"+position+".target")
	s.expect("inactive", "power-"+other+".target")
}

func TestPowerFromUPower(t *testing.T) {
	s := begin(t, sandbox.Options{NoNetworkManager: true, Login1: fakes.Logind252})
	s.enable("backup.service", whileUnit("power-ac.target"))
	s.enable("dim.service", onceUnit("power-battery.target"))
	s.must(s.UPower.Start(s.ctx))
	// logind is wrong, which shows whether the bridge asked UPower.
	s.Login1.SetExternalPower(false)
	s.flags("--switches=power")
	s.install()
	s.status("power ac (from UPower)")
	s.power("ac")
	s.expect("active", "backup.service")
	s.must(s.UPower.SetOnBattery(true))
	s.power("battery")
	s.expect("inactive", "backup.service")
	s.must(s.UPower.SetOnBattery(false))
	s.power("ac")
	s.systemctl("kill", "-s", "KILL", bridgeUnit)
	s.secondBridge()
	s.status("power ac (from UPower)")
	s.started("backup.service", 2)
	s.started("dim.service", 1)
	s.neverBoth("power-ac.target", "power-battery.target")
}

func TestPowerWithoutUPowerIsPolledAndThatIsSaidOnce(t *testing.T) {
	s := begin(t, sandbox.Options{NoNetworkManager: true})
	s.Login1.SetExternalPower(false)
	s.flags("--switches=power")
	s.install()
	s.power("battery")
	s.Login1.SetExternalPower(true)
	s.power("ac")
	s.says("the power is read by polling logind every 10s")
}

func TestPowerWhileUPowerComesAndGoes(t *testing.T) {
	s := begin(t, sandbox.Options{NoNetworkManager: true})
	s.enable("backup.service", whileUnit("power-ac.target"))
	s.flags("--switches=power")
	s.install()
	s.status("power ac (by polling logind every 10s)")
	s.must(s.UPower.Start(s.ctx))
	s.status("power ac (from UPower)")
	s.must(s.UPower.Stop(s.ctx))
	s.status("power ac (by polling logind every 10s)")
	s.Login1.SetExternalPower(false)
	s.power("battery")
	s.must(s.UPower.Start(s.ctx))
	s.power("ac")
	s.started("backup.service", 2)
	if log := s.log(); strings.Count(log, "the power is read from UPower") != 2 {
		t.Errorf("want one line for each change of the source:\n%s", log)
	}
}

// What logind said before UPower came may no longer be true.
func TestPowerStaysAsItIsWhenUPowerGoes(t *testing.T) {
	s := begin(t, sandbox.Options{NoNetworkManager: true})
	s.must(s.UPower.Start(s.ctx))
	s.flags("--switches=power")
	s.install()
	s.status("power ac (from UPower)")
	s.must(s.UPower.SetOnBattery(true))
	s.Login1.SetExternalPower(false)
	s.power("battery")
	s.must(s.UPower.Stop(s.ctx))
	s.status("power battery (by polling logind every 10s)")
	s.power("battery")
	s.started("power-ac.target", 1)
	s.started("power-battery.target", 1)
}

// Without UPower the bridge asks logind, but only once it knows that UPower is
// missing.
func TestItIsReadyOnceThePowerIsKnown(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	for range 10 {
		s.systemctl("reset-failed", bridgeUnit) // this resets how often it was started
		s.systemctl("stop", bridgeUnit)
		s.settle()
		s.systemctl("stop", "power-ac.target") // the bridge would adopt its position
		s.systemctl("start", bridgeUnit)
	}
	observing := 0
	for line := range strings.Lines(s.log()) {
		if strings.HasPrefix(line, "observing ") {
			observing++
			if !strings.Contains(line, " power=ac ") {
				t.Error(line)
			}
		}
	}
	if observing != 11 {
		t.Errorf("11 starts, of which %d are in the log", observing)
	}
}
