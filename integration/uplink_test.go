package integration

import (
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func (s *scene) uplink(position string) {
	s.Helper()
	s.status("uplink " + position)
	for _, name := range []string{"wired", "wifi", "cellular"} {
		state := "inactive"
		if name == position {
			state = "active"
		}
		s.expect(state, "uplink-"+name+".target")
	}
}

func TestUplinkFollowsTheDefaultRoute(t *testing.T) {
	s := begin(t, sandbox.Options{SecondLink: true})
	s.enable("cabled.service", whileUnit("uplink-wired.target"))
	s.enable("sync.service", syncUnit)
	s.install()
	s.online()
	s.uplink("wired")
	s.expect("active", "cabled.service")

	// A tunnel does not say what it runs over. NetworkManager gives it the default route because the internet is behind it.
	tunnel, err := s.Uplink.StartTunnel(s.ctx, "tun9")
	s.must(err)
	s.Cleanup(func() { _ = tunnel.Close() })
	s.nmcli("connection", "add", "type", "tun", "con-name", "tunnel", "ifname", "tun9", "mode", "tun", "autoconnect", "no",
		"ipv4.method", "manual", "ipv4.addresses", tunnel.Near+"/24", "ipv4.gateway", tunnel.Far, "ipv4.route-metric", "1", "ipv6.method", "disabled")
	s.nmcli("connection", "up", "tunnel")
	s.uplink("other")
	s.expect("inactive", "cabled.service")
	s.nmcli("connection", "down", "tunnel")
	s.uplink("wired")

	// A bridge of cables is a cable.
	s.nmcli("connection", "add", "type", "bridge", "con-name", "cables", "ifname", "br9", "autoconnect", "no", "bridge.stp", "no",
		"ipv4.route-metric", "1", "ipv6.method", "disabled")
	s.nmcli("connection", "add", "type", "ethernet", "con-name", "port", "ifname", sandbox.SecondInterface, "master", "br9", "slave-type", "bridge", "autoconnect", "no")
	s.nmcli("--wait", "0", "connection", "up", "cables")
	s.nmcli("connection", "up", "port")
	s.until("the bridge has the default route", func() bool {
		out, err := s.NM.Nmcli(s.ctx, "-g", "GENERAL.DEFAULT", "connection", "show", "cables")
		return err == nil && out == "yes"
	})
	s.uplink("wired")
	s.started("uplink-wired.target", 2)
	s.started("internet-online.target", 1)
	s.started("sync.service", 1)

	s.must(s.Second.Uplink.Unplug(s.ctx))
	s.must(s.Uplink.Unplug(s.ctx))
	s.nmcli("connection", "down", "cables") // a bridge stays up without cables
	s.uplink("none")
	s.must(s.Uplink.Plug(s.ctx))
	s.uplink("wired")
	s.started("cabled.service", 3)
}

// To units, what NetworkManager has up survives its restart.
func TestUplinkHoldsWhileNetworkManagerRestarts(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("cabled.service", whileUnit("uplink-wired.target"))
	s.install()
	s.uplink("wired")
	s.must(s.NM.Stop(s.ctx))
	s.status("uplink wired (in doubt: NetworkManager is not running")
	s.must(s.NM.Start(s.ctx))
	s.online()
	s.status("uplink wired,")
	s.started("cabled.service", 1)
	s.started("uplink-wired.target", 1)
	s.neverBoth("uplink-wired.target", "uplink-wifi.target")
}
