package integration

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// beginWithVPNs brings up a sandbox whose NetworkManager has VPNs of a plugin.
func beginWithVPNs(t *testing.T) (*scene, *fakes.VPN) {
	t.Helper()
	s := begin(t, sandbox.Options{})
	return s, s.vpns()
}

// vpns adds VPNs of a plugin to the sandbox's NetworkManager, and one profile of
// them, "Office".
func (s *scene) vpns() *fakes.VPN {
	s.Helper()
	conn, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	vpn, err := fakes.NewVPN(s.ctx, conn)
	s.must(err)
	s.Cleanup(func() { _ = vpn.Crash() })
	const settings = "org.freedesktop.NetworkManager.Settings"
	s.must(conn.Object("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager/Settings").CallWithContext(s.ctx,
		settings+".AddConnection", 0, map[string]map[string]dbus.Variant{
			"connection": {"id": dbus.MakeVariant("Office"), "type": dbus.MakeVariant("vpn"), "autoconnect": dbus.MakeVariant(false)},
			"vpn":        {"service-type": dbus.MakeVariant(fakes.VPNService)},
			"ipv6":       {"method": dbus.MakeVariant("disabled")},
		}).Err)
	return vpn
}

// vpn waits for a position of the vpn switch: "up" or "down".
func (s *scene) vpn(position string) {
	s.Helper()
	other := map[string]string{"up": "down", "down": "up"}[position]
	s.expect("active", "vpn-"+position+".target")
	s.expect("inactive", "vpn-"+other+".target")
}

// dial brings the profile up until its plugin is told to connect and the bridge
// knows of it.
func (s *scene) dial(vpn *fakes.VPN) {
	s.Helper()
	s.nmcli("--wait", "0", "connection", "up", "id", "Office")
	select {
	case <-vpn.Connects:
	case <-s.ctx.Done():
		s.Fatal("the plugin was not told to connect")
	}
	s.knows("Activating", true)
}

// knows waits until a value is, or is not, among the facts of the bridge.
func (s *scene) knows(value string, want bool) {
	s.Helper()
	for {
		var r report
		s.must(json.Unmarshal([]byte(s.user("~/.local/bin/nm-session-bridge status --json")), &r))
		if slices.Contains(slices.Collect(maps.Values(r.Facts)), value) == want {
			return
		}
		select {
		case <-s.ctx.Done():
			s.Fatalf("%q does not come to be (%t) among %v", value, want, r.Facts)
		case <-time.After(50 * time.Millisecond): // not all facts are signalled
		}
	}
}

func TestAVPNOfAPluginConnectsFailsAndDrops(t *testing.T) {
	s, vpn := beginWithVPNs(t)
	const office = "connection@Office.target"
	s.enable("tunnel.service", whileUnit("vpn-up.target"))
	s.enable("office.service", whileUnit(office))
	s.install()
	s.online()
	s.vpn("down")

	s.dial(vpn)
	s.vpn("down")
	s.profiles("home")
	s.must(vpn.Fail())
	s.knows("Office", false)
	s.vpn("down")
	s.profiles("home")
	s.started("vpn-up.target", 0)
	s.started(office, 0)

	for times, end := range []func(){
		func() { s.must(vpn.Drop()) },
		func() { s.nmcli("connection", "down", "id", "Office") },
		func() { s.must(vpn.Crash()) },
	} {
		s.dial(vpn)
		s.vpn("down")
		s.must(vpn.Establish())
		s.vpn("up")
		s.profiles("home", "Office")
		s.expect("active", "tunnel.service", "office.service")
		end()
		s.vpn("down")
		s.profiles("home")
		s.expect("inactive", "tunnel.service", "office.service")
		for _, unit := range []string{"vpn-up.target", office, "tunnel.service", "office.service"} {
			s.started(unit, times+1)
		}
	}
	s.started("connection@home.target", 1)
	s.neverBoth("vpn-up.target", "vpn-down.target")
}
