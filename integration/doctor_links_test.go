package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// later runs a program of the user with the clock of systemd's timestamps ten minutes
// ahead, so that nobody has to wait.
const later = "sudo unshare --time --monotonic=600 --fork setpriv --reuid=%d --regid=%d --clear-groups --inh-caps=-all "

func (s *scene) later() string {
	s.Helper()
	s.giveSudo(nil)
	// exec, which the doctor is called with, runs programs only.
	return "nm_session_bridge_doctor() { " + fmt.Sprintf(later, sandbox.UID, sandbox.UID) + program + " doctor; }; nm_session_bridge_doctor; exit $?;"
}

func TestDoctorOnABlockedCheck(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	later := s.later()
	s.clean(later)
	s.check(sandbox.LimitedRefuse)
	s.offline()
	s.clean("") // it may be one failed check
	f := s.finds(later, "has not reached the internet for 10m0s, although eth0 has an address and a default route")
	if !strings.Contains(f.why, "the network blocks the check at http://192.0.2.1/check") {
		t.Errorf("the reason is %s", f.why)
	}
	for range 2 {
		s.user(f.mend)
		s.online()
		s.clean(later)
	}
	if line := s.systemctl("show", "-P", "ExecStart", bridgeUnit); !strings.Contains(line, "nm-session-bridge run --online-when=limited ") {
		t.Errorf("the service runs %s", line)
	}

	s.user("rm -r .config/systemd/user/" + bridgeUnit + ".d")
	s.systemctl("daemon-reload")
	s.systemctl("restart", bridgeUnit)
	s.offline()
	s.finds(later, "has not reached the internet for 10m0s")
	s.must(s.Uplink.Unplug(s.ctx)) // now it really is offline
	s.until("the link is down", func() bool {
		out, err := s.NM.Nmcli(s.ctx, "-g", "GENERAL.STATE", "device", "show", sandbox.Interface)
		return err == nil && strings.HasPrefix(out, "20")
	})
	s.clean(later)
	s.must(s.Uplink.Plug(s.ctx))
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityLimited))
	s.user("nm-session-bridge set internet offline")
	s.finds(later, "internet is held offline by hand")
	s.user("nm-session-bridge set internet auto")
	s.check(sandbox.PortalRedirect)
	s.portal()
	s.clean(later)
}

func TestDoctorOnALinkThatNetworkManagerDoesNotManage(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.clean("")
	s.giveSudo(nil)
	root := func(line string) {
		t.Helper()
		s.user("sudo sh -c '" + line + "'")
	}
	t.Cleanup(func() { root("ip link del own0") })
	shows := func(device, field, value string) {
		t.Helper()
		s.until(fmt.Sprintf("NetworkManager shows %q as %s of %s", value, field, device), func() bool {
			out, err := s.NM.Nmcli(s.ctx, "-g", field, "device", "show", device)
			return err == nil && out == value
		})
	}
	// This is what somebody else's program leaves behind. NetworkManager takes a while to see a new
	// device, and to let go of one, from which it then takes away what it has found there.
	root("ip link add own0 type veth peer name own1")
	for _, device := range []string{"own0", "own1"} {
		shows(device, "GENERAL.DEVICE", device)
		root("nmcli device set " + device + " managed no")
		shows(device, "GENERAL.STATE", "10 (unmanaged)")
	}
	root("ip link set own1 up && ip link set own0 up && ip address add 203.0.113.2/24 dev own0 && ip route add default via 203.0.113.1 metric 9000")
	shows("own0", "IP4.GATEWAY", "203.0.113.1")
	s.clean("") // there is another one
	s.nmcli("device", "disconnect", sandbox.Interface)
	s.offline()
	shows(sandbox.Interface, "IP4.GATEWAY", "")
	f := s.finds("", "NetworkManager has no default route, but own0, which it does not manage, has one")
	if !strings.HasPrefix(f.mend, "# by hand: make NetworkManager manage own0") {
		t.Errorf("it is mended by %s", f.mend)
	}
	root("ip route del default via 203.0.113.1 dev own0")
	shows("own0", "IP4.GATEWAY", "")
	s.clean("")
}

func TestDoctorOnALinkThatReachesMoreThanThePreferredOne(t *testing.T) {
	s := beginWithTwoLinks(t, "")
	s.install()
	s.online()
	s.systemctl("import-environment", "PATH")
	s.clean("")
	for mode, reached := range map[sandbox.CheckMode]uint32{sandbox.LimitedRefuse: sandbox.ConnectivityLimited, sandbox.PortalRedirect: sandbox.ConnectivityPortal} {
		s.check(mode)
		s.reaches(sandbox.Interface, reached)
		f := s.finds("", "eth0, which has the preferred route, ", ", so eth1 decides")
		if !strings.HasSuffix(f.mend, "nmcli device disconnect eth0") {
			t.Errorf("it is mended by %s", f.mend)
		}
	}
	s.check(sandbox.Full)
	s.reaches(sandbox.Interface, sandbox.ConnectivityFull)
	s.must(s.Second.Check.Set(sandbox.LimitedRefuse))
	s.reaches(sandbox.SecondInterface, sandbox.ConnectivityLimited)
	s.clean("") // it is not needed
}
