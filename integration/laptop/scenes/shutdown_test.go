package scenes

import (
	"os"
	"strings"
	"testing"
)

const (
	beforeShutdown = "before-shutdown.target"

	lastSync = "last-sync.service"
	// lastSyncUnit writes what it finds after two seconds: the route to the internet, and
	// whether a shutdown is due.
	lastSyncUnit = "[Unit]\nAfter=" + beforeShutdown + "\n[Service]\nType=oneshot\nExecStart=/bin/sleep 2\n" +
		"ExecStart=/bin/sh -c '{ ip route show default; " + isDue + "; } >~/last-sync'\n[Install]\nWantedBy=" + beforeShutdown + "\n"
	isDue = "busctl get-property " + logindName + " " + string(logindPath) + " " + logindManager + " PreparingForShutdown"

	// longDelay lets the last sync end on a busy machine, too. logind's own delay is 5 s.
	longDelay = "InhibitDelayMaxSec=60\n"

	// shutdowns is the file that lists how the laptop was shut down since its first boot.
	shutdowns = "/var/lib/shutdowns"
)

// hasSynced checks what the last sync has found.
func (s *scene) hasSynced(before string) {
	s.Helper()
	file := s.who.home() + "/last-sync"
	found, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(found), "default ") || !strings.HasSuffix(string(found), "\nb true\n") {
		s.Errorf("two seconds after %s the last sync found %q (%v), not the network and a shutdown that is due", before, found, err)
	}
	s.must(os.RemoveAll(file))
}

// The job for poweroff.target or reboot.target is refused: this laptop still has scenes
// to play. logind delays the shutdown all the same, and then takes it back.
func TestUnitsFinishBeforeTheLaptopShutsDown(t *testing.T) {
	s := beginOpen(t)
	s.enable(map[string]string{lastSync: lastSyncUnit})
	s.configureLogind(longDelay)
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
		s.root("busctl call " + logindName + " " + string(logindPath) + " " + logindManager + " " + how + " b false")
		s.starts(map[string]int{beforeShutdown: i + 1, lastSync: i + 1, online: 1})
		s.until("logind has taken it back", func() bool { return s.root(isDue) == "b false" })
		s.expect("inactive", beforeShutdown)
		s.hasSynced(how)
	}
	s.expect("active", online)
}

// Each shutdown ends this program, and the next boot starts it again.
func TestPowerOffAndReboot(t *testing.T) {
	s := goOn(t)
	s.configureLogind(longDelay)
	ways := strings.Fields(s.root("touch " + shutdowns + " && cat " + shutdowns))
	if len(ways) == 0 {
		s.newUser()
		s.enable(map[string]string{lastSync: lastSyncUnit})
		s.install()
	} else {
		s.meet()
		s.hasSynced(ways[len(ways)-1])
	}
	s.internet(online)
	s.oneLockOn("shutdown")
	s.expect("inactive", beforeShutdown)
	if len(ways) == 2 {
		return
	}
	next := []string{"poweroff", "reboot"}[len(ways)]
	t.Logf("%s, in boot %s", next, s.root("cat /proc/sys/kernel/random/boot_id"))
	s.root("echo " + next + " >>" + shutdowns)
	s.must(setPort(wishPort, comesBack))
	s.root("systemctl " + next)
	<-s.ctx.Done()
	t.Fatalf("the laptop does not %s", next)
}
