package integration

import (
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// syncUnit is a unit that follows the README's pattern.
const syncUnit = `[Unit]
After=internet-online.target
PartOf=internet-online.target
Requisite=internet-online.target
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=internet-online.target
`

// onceUnit is a oneshot that runs each time that its target is reached.
func onceUnit(target string) string {
	return "[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=" + target + "\n"
}

func TestThePatternStartsAndStopsWithTheInternet(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	s.enable("sync.service", syncUnit)
	s.install()
	s.offline()
	if out, err := s.Systemctl("start", "sync.service"); err == nil {
		t.Errorf("while offline, starting the service by hand was not refused: %s", out)
	}
	s.offline()
	s.started("internet-online.target", 0)

	s.must(s.Uplink.Plug(s.ctx))
	s.online()
	s.expect("active", "sync.service")
	s.must(s.Uplink.Unplug(s.ctx))
	s.offline()
	s.expect("inactive", "sync.service")
	s.started("sync.service", 1)
}

func TestCablePulledAndBack(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.enable("on.service", onceUnit("internet-online.target"))
	s.enable("off.service", onceUnit("internet-offline.target"))
	s.install()
	s.online()
	s.must(s.Uplink.Unplug(s.ctx))
	s.offline()
	s.expect("inactive", "sync.service")
	s.must(s.Uplink.Plug(s.ctx))
	s.online()
	s.started("sync.service", 2)
	s.started("on.service", 2)
	s.started("off.service", 1)
	s.neverBoth("internet-online.target", "internet-offline.target")
}

func TestSlowDHCP(t *testing.T) {
	s := begin(t, sandbox.Options{NoDHCP: true})
	s.enable("sync.service", syncUnit)
	s.flags("--gone-grace=1s")
	s.install()
	s.offline()
	s.must(s.Uplink.StartDHCP(s.ctx))
	s.online()
	s.started("sync.service", 1)
	s.started("internet-offline.target", 1)
}

func TestPortalAndSignIn(t *testing.T) {
	for _, portal := range []sandbox.CheckMode{sandbox.PortalRedirect, sandbox.PortalBody} {
		t.Run(string(portal), func(t *testing.T) {
			s := begin(t, sandbox.Options{Check: portal})
			s.enable("sync.service", syncUnit)
			s.enable("browser.service", onceUnit("internet-portal.target"))
			s.install()
			s.portal()
			s.check(sandbox.Full)
			s.online()
			s.expect("active", "sync.service")
			s.check(portal)
			s.portal()
			s.expect("inactive", "sync.service")
			s.must(s.Uplink.Unplug(s.ctx))
			s.offline()
			s.started("sync.service", 1)
			s.started("browser.service", 2)
			// The portal counts as offline, so the service started only once more.
			s.started("internet-offline.target", 2)
			s.neverBoth("internet-online.target", "internet-offline.target")
		})
	}
}

func TestLimitedForLessThanTheGrace(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.flags("--limited-grace=1h")
	s.install()
	s.online()
	s.check(sandbox.LimitedRefuse)
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityLimited))
	s.status("internet online (in doubt: Connectivity=Limited State=ConnectedSite)")
	s.check(sandbox.Full)
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	s.status("internet online, ")
	s.online()
	s.started("sync.service", 1)
	s.started("internet-offline.target", 0)
}

func TestLimitedForMoreThanTheGrace(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.flags("--limited-grace=500ms")
	s.install()
	s.online()
	s.check(sandbox.LimitedRefuse)
	s.offline()
	s.expect("inactive", "sync.service")
	s.check(sandbox.Full)
	s.online()
	s.started("sync.service", 2)
}

func TestLimitedIsEnoughWhereTheUserSaysSo(t *testing.T) {
	s := begin(t, sandbox.Options{Check: sandbox.LimitedRefuse})
	s.flags("--online-when=limited")
	s.install()
	s.online()
	s.must(s.Uplink.Unplug(s.ctx))
	s.offline()
}

func TestAHangingCheckIsADoubt(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.flags("--limited-grace=500ms")
	s.enable("sync.service", syncUnit)
	s.install()
	s.online()
	// NetworkManager ends a probe after 20 s, and calls the outcome limited.
	s.must(s.Check.Set(sandbox.Hang))
	s.offline()
	s.check(sandbox.Full)
	s.online()
	s.started("sync.service", 2)
}

func TestNetworkingOffAndOn(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.install()
	s.online()
	s.nmcli("networking", "off")
	s.offline()
	s.expect("inactive", "sync.service")
	s.nmcli("networking", "on")
	s.online()
	s.started("sync.service", 2)
	s.started("internet-offline.target", 1)
}

func TestNetworkManagerRestartsWithinTheGrace(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*scene) error
	}{
		{"stopped", func(s *scene) error { return s.NM.Stop(s.ctx) }},
		{"killed", func(s *scene) error { return s.NM.Kill(s.ctx) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t, sandbox.Options{})
			s.enable("sync.service", syncUnit)
			s.enable("on.service", onceUnit("internet-online.target"))
			s.flags("--gone-grace=1h")
			s.install()
			s.online()
			s.must(test.end(s))
			s.status("internet online (in doubt: NetworkManager is not running)")
			s.must(s.NM.Start(s.ctx))
			s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
			s.status("internet online, ")
			s.online()
			s.started("sync.service", 1)
			s.started("on.service", 1)
			s.started("internet-offline.target", 0)
		})
	}
}

func TestNetworkManagerRestartsBehindASlowCheck(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.flags("--gone-grace=1h --limited-grace=1h")
	s.install()
	s.online()
	// NetworkManager ends its startup without waiting for the check.
	s.must(s.Check.Set(sandbox.Hang))
	s.must(s.NM.Restart(s.ctx))
	s.status("internet online (in doubt: Connectivity=None State=ConnectedSite)")
	s.check(sandbox.Full)
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	s.status("internet online, ")
	s.started("sync.service", 1)
	s.started("internet-offline.target", 0)
}

func TestNetworkManagerStaysAway(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.flags("--gone-grace=500ms")
	s.install()
	s.online()
	s.must(s.NM.Kill(s.ctx))
	s.offline()
	s.expect("inactive", "sync.service")
	s.must(s.NM.Start(s.ctx))
	s.online()
	s.started("sync.service", 2)
}

func TestNetworkManagerStartsAfterTheBridge(t *testing.T) {
	s := begin(t, sandbox.Options{NoNetworkManager: true})
	s.enable("sync.service", syncUnit)
	if out := s.install(); !strings.Contains(out, "now: internet unknown (NetworkManager is not running), uplink unknown (NetworkManager is not running), lid open") {
		t.Errorf("install does not tell that NetworkManager is missing: %s", out)
	}
	s.offline() // after the ten seconds of grace
	s.must(s.NM.Start(s.ctx))
	s.online()
	s.started("sync.service", 1)
	s.started("internet-offline.target", 1)
	s.waitLog("internet is online")
	if log := s.log(); strings.Count(log, "internet is") != 2 {
		t.Errorf("want one line for each of two transitions, have\n%s", log)
	}
}
