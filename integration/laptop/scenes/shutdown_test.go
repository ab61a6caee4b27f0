package scenes

import (
	"os"
	"strings"
	"testing"
)

const beforeShutdown = "before-shutdown.target"

// The job for poweroff.target or reboot.target is refused: this laptop has scenes to
// play yet. logind delays the shutdown all the same, and then takes it back.
func TestUnitsFinishBeforeTheLaptopShutsDown(t *testing.T) {
	const (
		lastSync = "last-sync.service"
		manager  = " " + logindName + " " + string(logindPath) + " " + logindManager
		isDue    = "busctl get-property" + manager + " PreparingForShutdown"
	)
	s := beginOpen(t)
	s.enable(map[string]string{
		lastSync: "[Unit]\nAfter=" + beforeShutdown + "\n[Service]\nType=oneshot\nExecStart=/bin/sleep 2\n" +
			"ExecStart=/bin/sh -c '{ ip route show default; " + isDue + "; } >~/last-sync'\n[Install]\nWantedBy=" + beforeShutdown + "\n",
	})
	s.install()
	s.internet(online)
	for _, target := range []string{"poweroff", "reboot"} { // logind does not begin where they are masked
		dropIn := "/run/systemd/system/" + target + ".target.d"
		s.root("mkdir " + dropIn + " && printf '[Unit]\\nRefuseManualStart=yes\\n' >" + dropIn + "/scene.conf")
		s.afterwards("rm -r " + dropIn + " && systemctl daemon-reload")
	}
	s.root("systemctl daemon-reload")
	for i, how := range []string{"PowerOff", "Reboot"} {
		s.oneLockOn("shutdown")
		s.root("busctl call" + manager + " " + how + " b false")
		s.starts(map[string]int{beforeShutdown: i + 1, lastSync: i + 1, online: 1})
		s.until("logind has taken it back", func() bool { return s.root(isDue) == "b false" })
		s.expect("inactive", beforeShutdown)
		found, err := os.ReadFile(s.who.home() + "/last-sync")
		if err != nil || !strings.HasPrefix(string(found), "default ") || !strings.HasSuffix(string(found), "\nb true\n") {
			t.Errorf("%s: after two seconds the last sync found %q (%v), not the network and a shutdown that is due", how, found, err)
		}
		s.must(os.Remove(s.who.home() + "/last-sync"))
	}
	s.expect("active", online)
}
