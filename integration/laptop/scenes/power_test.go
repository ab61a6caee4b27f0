package scenes

import (
	"os"
	"strings"
	"testing"
)

const (
	onAC      = "power-ac.target"
	onBattery = "power-battery.target"

	// chargerPort is the I/O port that recipe/power.asl reads. It is 0 after a sleep.
	chargerPort = 0x2ff
	charger     = "/sys/class/power_supply/AC"
	battery     = "/sys/class/power_supply/BAT0"
)

// power waits until exactly the given one of the power's targets is active.
func (s *scene) power(target string) {
	s.Helper()
	s.only([]string{onAC, onBattery}, []string{target})
}

// pull pulls the charger out or plugs it back in, and makes the kernel announce
// it.
func (s *scene) pull(out bool) {
	s.Helper()
	online, status := "1", "Charging"
	if out {
		online, status = "0", "Discharging"
	}
	s.must(turnCharger(out))
	s.until("the kernel knows of the charger", func() bool { // it asks the battery at most once a second
		return s.root("cat "+charger+"/online "+battery+"/status") == online+"\n"+status
	})
	for _, device := range []string{charger, battery} { // as the kernel does when the firmware notifies it
		s.must(os.WriteFile(device+"/uevent", []byte("change"), 0o600))
	}
}

// turnCharger makes the firmware report from now on that the charger is pulled
// out, or plugged in.
func turnCharger(out bool) error {
	pulled := byte(0)
	if out {
		pulled = 1
	}
	return setPort(chargerPort, pulled)
}

// plugAfterwards leaves the charger plugged in, however the scene ends.
func (s *scene) plugAfterwards() {
	s.Cleanup(func() {
		if err := turnCharger(false); err != nil {
			s.Error(err)
		}
	})
}

func TestPower(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.plugAfterwards()
	s.enable(map[string]string{"backup.service": while(onAC), "dim.service": once(onBattery)})
	s.install()
	s.sure("power ac (from UPower)")
	s.power(onAC)
	s.record()

	s.pull(true)
	s.power(onBattery)
	s.expect("inactive", "backup.service")
	s.pull(false)
	s.power(onAC)

	s.pull(true)
	s.power(onBattery)
	s.root("systemctl stop upower")
	s.sure("power battery (by polling logind")
	s.root("systemctl start upower")
	s.sure("power battery (from UPower)")
	s.root("systemctl restart upower")
	s.sure("power battery (from UPower)")

	s.pull(false)
	s.power(onAC)
	s.sure("power ac (from UPower)")
	s.starts(map[string]int{onBattery: 2, "dim.service": 2, onAC: 2, "backup.service": 2})
}

func TestPowerWithoutUPower(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.plugAfterwards()
	s.root("systemctl mask --now upower.service")
	s.afterwards("systemctl unmask upower.service")
	s.enable(map[string]string{"backup.service": while(onAC), "dim.service": once(onBattery)})
	s.install()
	s.sure("power ac (by polling logind")
	s.power(onAC)
	s.record()
	s.pull(true)
	s.power(onBattery)
	s.expect("inactive", "backup.service")
	s.pull(false)
	s.power(onAC)
	s.starts(map[string]int{onBattery: 1, "dim.service": 1, onAC: 1, "backup.service": 1})
	log := s.root("journalctl --quiet --output=cat _PID=" + s.systemctl("show", "--value", "--property=MainPID", bridgeUnit))
	if strings.Count(log, "the power is read") != 1 {
		t.Errorf("want one line that tells where the power is read from:\n%s", log)
	}
}
