package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// neverAnswered is a profile of a port that waits for DHCP for ever, so that
// NetworkManager's startup never ends.
const neverAnswered = `[connection]
id=second
type=ethernet
interface-name=` + sandbox.SecondInterface + `

[ipv4]
method=auto
dhcp-timeout=2147483647

[ipv6]
method=disabled
`

// beginStarting brings up a sandbox whose NetworkManager is on the internet, but
// does not end its startup.
func beginStarting(t *testing.T) *scene {
	t.Helper()
	s := begin(t, sandbox.Options{SecondLink: true, NoNetworkManager: true})
	s.must(s.Second.Uplink.StopDHCP(s.ctx))
	s.must(os.MkdirAll("/run/sandbox/networkmanager/connections", 0o755))
	s.must(os.WriteFile(s.NM.ProfilePath("second"), []byte(neverAnswered), 0o600))
	s.must(s.NM.Start(s.ctx))
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	return s
}

// stillStarting checks that the startup has not ended meanwhile.
func (s *scene) stillStarting() {
	s.Helper()
	out, err := s.NM.Nmcli(s.ctx, "-g", "STARTUP", "general")
	s.must(err)
	if out != "starting" {
		s.Errorf("NetworkManager is %q", out)
	}
}

// What is there does not wait for a port that gets no address.
func TestPresenceDoesNotWaitForTheStartup(t *testing.T) {
	s := beginStarting(t)
	s.flags("--gone-grace=1h")
	s.install()
	s.online()
	s.profiles("home")
	s.metered("unmetered")
	s.vpn("down")
	s.stillStarting()
}

func TestAVPNComesAndGoesDuringTheStartup(t *testing.T) {
	s := beginStarting(t)
	vpn := s.vpns()
	s.flags("--gone-grace=1h")
	s.install()
	s.vpn("down")
	for range 2 {
		s.dial(vpn)
		s.must(vpn.Resume())
		s.vpn("up")
		s.profiles("home", "Office", "tun0")
		s.must(vpn.Drop(s.ctx))
		s.vpn("down")
		s.noClient()
		s.expect("inactive", "connection@Office.target", "connection@tun0.target")
		s.profiles("home")
	}
	s.stillStarting()
}

// What depends on the tunnel must not outlive it; what the kernel keeps up may.
func TestAVPNOfAPluginEndsWithNetworkManager(t *testing.T) {
	for name, end := range map[string]func(*scene) error{
		"stopped":   func(s *scene) error { return s.NM.Stop(s.ctx) },
		"killed":    func(s *scene) error { return s.NM.Kill(s.ctx) },
		"restarted": func(s *scene) error { return s.NM.Restart(s.ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			s, vpn := beginWithVPNs(t)
			s.enable("tunnel.service", whileUnit("vpn-up.target"))
			s.flags("--gone-grace=1h")
			s.install()
			s.online()
			s.dial(vpn)
			s.must(vpn.Resume())
			s.vpn("up")
			s.expect("active", "tunnel.service")
			s.must(end(s))
			s.vpn("down")
			s.expect("inactive", "tunnel.service", "connection@Office.target")
			s.online()
			s.noClient()
			s.must(s.NM.Start(s.ctx))
			s.expect("inactive", "connection@tun0.target")
			s.profiles("home")
			s.started("connection@home.target", 1)
			s.started("internet-online.target", 1)
		})
	}
}

func TestLimitedIsNotEnoughWithoutADefaultRoute(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.nmcli("connection", "modify", "home", "ipv4.never-default", "yes")
	s.nmcli("connection", "up", "home")
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityLimited))
	s.flags("--online-when=limited")
	s.install()
	s.offline()
	s.reads("internet", "State=ConnectedLocal, no default route")
	s.started("internet-online.target", 0)
}

// A connection that stays active keeps its Default, and NetworkManager its State,
// when the last default route goes.
func TestLimitedIsNotEnoughOnceTheDefaultRouteHasGone(t *testing.T) {
	for name, withRoute := range map[string]func(*scene, bool){
		"never-default": func(s *scene, with bool) {
			s.nmcli("connection", "modify", "home", "ipv4.never-default", map[bool]string{false: "yes", true: "no"}[with])
		},
		"a gateway that the user removes": func(s *scene, with bool) {
			s.nmcli("connection", "modify", "home", "ipv4.method", "manual", "ipv4.addresses", "192.0.2.50/24",
				"ipv4.gateway", map[bool]string{false: "", true: "192.0.2.1"}[with])
		},
		"a lease without a router": func(s *scene, with bool) {
			s.must(s.Uplink.StopDHCP(s.ctx))
			s.Uplink.NoRouter = !with
			s.must(s.Uplink.StartDHCP(s.ctx))
			// NetworkManager asks for a lease again if something about it has changed.
			s.nmcli("connection", "modify", "home", "ipv4.dhcp-send-hostname", map[bool]string{false: "no", true: "yes"}[with])
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, sandbox.Options{})
			s.flags("--online-when=limited --limited-grace=500ms")
			s.install()
			s.online()
			withRoute(s, false)
			s.nmcli("device", "reapply", sandbox.Interface)
			s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityLimited))
			s.offline()
			s.reads("internet", "State=ConnectedSite, no default route")
			s.check(sandbox.LimitedRefuse)
			withRoute(s, true)
			s.nmcli("device", "reapply", sandbox.Interface)
			s.online()
			s.reads("internet", "Connectivity=Limited State=ConnectedSite")
			s.started("internet-online.target", 2)
			s.started("internet-offline.target", 1)
		})
	}
}

func TestLimitedIsNotEnoughWithABridgeOfContainersAlone(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	for _, words := range []string{
		"link add docker0 type bridge", "address add 172.17.0.1/16 dev docker0", "link set docker0 up",
		"link add container type veth peer name inside", "link set container master docker0", "link set container up", "link set inside up",
	} {
		out, err := exec.Command("ip", strings.Fields(words)...).CombinedOutput()
		if err != nil {
			t.Fatalf("ip %s: %v: %s", words, err, out)
		}
	}
	t.Cleanup(func() {
		for _, device := range []string{"container", "docker0"} {
			_ = exec.Command("ip", "link", "delete", device).Run() // as far as possible
		}
	})
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityLimited))
	s.flags("--online-when=limited")
	s.install()
	s.profiles("container", "docker0")
	s.offline()
	s.started("internet-online.target", 0)
}

// A portal that fails to answer once has not opened the way to the internet.
func TestAPortalInDoubtIsThePortal(t *testing.T) {
	s := begin(t, sandbox.Options{Check: sandbox.PortalRedirect})
	s.enable("browser.service", onceUnit("internet-portal.target"))
	s.flags("--limited-grace=1h")
	s.install()
	s.portal()
	s.check(sandbox.LimitedRefuse)
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityLimited))
	s.status("internet portal (in doubt: Connectivity=Limited State=ConnectedSite)")
	s.check(sandbox.PortalRedirect)
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityPortal))
	s.status("internet portal, ")
	s.started("browser.service", 1)
	s.started("internet-portal.target", 1)
}

// At a login at home the tunnel of the recipe "away" never starts.
func TestTheTunnelOfTheRecipeAwayDoesNotStartAtHome(t *testing.T) {
	s := beginStarting(t)
	s.standIn(map[string]string{"sshuttle": stayingProgram})
	s.user(program + " recipe add away --set PROFILE=home --set REMOTE=home.example.org --set NETWORK=192.168.1.0/24")
	s.systemctl("enable", "away-tunnel@home.service", "away-ends@home.service")
	s.flags("--gone-grace=1h")
	s.install()
	s.online()
	s.profiles("home")
	s.expect("active", "away-ends@home.service")
	for range 5 {
		s.systemctl("stop", bridgeUnit)
		s.systemctl("stop", "internet-online.target", "connection@home.target")
		s.systemctl("start", bridgeUnit)
		s.online()
		s.profiles("home")
		s.expect("active", "away-ends@home.service")
	}
	s.settle()
	s.wantCalls()
	s.stillStarting()
}
