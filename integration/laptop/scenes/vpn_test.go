package scenes

import "testing"

const (
	vpnUp   = "vpn-up.target"
	vpnDown = "vpn-down.target"
)

func TestWireGuard(t *testing.T) {
	s := beginOpen(t)
	s.enable(map[string]string{"tunnel.service": while(vpnUp), "bureau.service": while(`connection@Mein\x20B\xc3\xbcro.target`)})
	s.install()
	s.internet(online)
	s.expect("active", vpnDown, "connection@lab.target")
	s.root("nmcli connection add type wireguard ifname wg0 con-name 'Mein Büro' autoconnect no" +
		" wireguard.private-key 6KpcbY792vVKSaHDI/1G3UsLqZTz7UjVdLy6oyUvNk4= ipv4.method manual ipv4.addresses 10.99.0.1/24 ipv6.method disabled")
	s.afterwards("nmcli connection delete 'Mein Büro'")
	for range 2 {
		s.root("nmcli connection up 'Mein Büro'")
		s.only([]string{vpnUp, vpnDown}, []string{vpnUp})
		s.expect("active", "tunnel.service", "bureau.service")
		s.root("nmcli connection down 'Mein Büro'")
		s.only([]string{vpnUp, vpnDown}, []string{vpnDown})
		s.expect("inactive", "tunnel.service", "bureau.service")
	}
	s.starts(map[string]int{vpnUp: 2, vpnDown: 3, "tunnel.service": 2, "bureau.service": 2, "connection@lab.target": 1})
}
