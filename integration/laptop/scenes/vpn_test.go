package scenes

import (
	"strings"
	"testing"
)

const (
	vpnUp     = "vpn-up.target"
	vpnDown   = "vpn-down.target"
	metered   = "network-metered.target"
	unmetered = "network-unmetered.target"
)

func TestWireGuardAndMeteredWiFi(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.enable(map[string]string{"tunnel.service": while(vpnUp), "bureau.service": while(`connection@Mein\x20B\xc3\xbcro.target`)})
	s.install()
	s.internet(online)
	s.expect("active", vpnDown, unmetered, lab)
	s.wireGuard("Mein Büro")
	s.afterwards("nmcli connection delete wg0")
	s.only([]string{vpnUp, vpnDown}, []string{vpnUp})
	s.expect("active", "tunnel.service", "bureau.service")
	s.root("nmcli connection modify 'Mein Büro' connection.id wg0")
	s.expect("active", "connection@wg0.target")
	s.expect("inactive", "bureau.service")
	s.root("nmcli connection down wg0")
	s.only([]string{vpnUp, vpnDown}, []string{vpnDown})
	s.expect("inactive", "tunnel.service", "connection@wg0.target")

	s.afterwards("nmcli connection modify lab connection.metered unknown && nmcli device reapply wlan0")
	s.root("nmcli connection modify lab connection.metered yes && nmcli device reapply wlan0")
	s.only([]string{metered, unmetered}, []string{metered})
	s.starts(map[string]int{vpnUp: 1, vpnDown: 2, "tunnel.service": 1, "bureau.service": 1, lab: 1, metered: 1, unmetered: 1})
}

// wireGuard brings up a WireGuard connection of NetworkManager's own, on wg0.
func (s *scene) wireGuard(name string) {
	s.Helper()
	s.root("nmcli connection add type wireguard ifname wg0 con-name '" + name + "' autoconnect no" +
		" wireguard.private-key 6KpcbY792vVKSaHDI/1G3UsLqZTz7UjVdLy6oyUvNk4= ipv4.method manual ipv4.addresses 10.99.0.1/24 ipv6.method disabled")
	s.root("nmcli connection up '" + name + "'")
}

// The kernel keeps WireGuard up, whatever happens to NetworkManager.
func TestWireGuardOutlivesNetworkManager(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.enable(map[string]string{"tunnel.service": while(vpnUp)})
	s.flags("--gone-grace=1h")
	s.install()
	s.wireGuard("wg0")
	s.afterwards("systemctl start NetworkManager && nmcli connection delete wg0")
	s.expect("active", vpnUp, "tunnel.service", "connection@wg0.target")
	s.record()
	for _, restart := range []func(){
		func() { s.root("systemctl restart NetworkManager") },
		func() { s.root("systemctl kill --signal=KILL NetworkManager") }, // systemd starts it again
		func() {
			s.root("systemctl stop NetworkManager")
			s.until("the bridge is in doubt", func() bool {
				return strings.Contains(s.systemctl("show", "--value", "--property=StatusText", bridgeUnit), "vpn up (in doubt")
			})
			s.root("systemctl start NetworkManager")
		},
	} {
		restart()
		s.untilFull()
		s.sure("vpn up")
		s.starts(map[string]int{vpnUp: 0, vpnDown: 0, "tunnel.service": 0, "connection@wg0.target": 0})
		if t.Failed() {
			t.FailNow()
		}
	}
}
