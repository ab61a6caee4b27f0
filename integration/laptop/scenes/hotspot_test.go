package scenes

import "testing"

// A hotspot gives others a network. It has none itself.
func TestAHotspotIsNoUplink(t *testing.T) {
	onOneLaptop(t)
	const hotspot = "connection@Hotspot.target"
	s := beginOpen(t)
	s.enable(map[string]string{"sync.service": while(online)})
	s.flags("--online-when=limited")
	s.install()
	s.internet(online)

	s.root("nmcli device wifi hotspot ifname wlan0 con-name Hotspot band bg channel 6 ssid ours password hotspotpassword")
	s.afterwards("nmcli connection delete Hotspot && nmcli connection up lab")
	s.expect("active", hotspot)
	s.internet(offline)
	s.sure("internet offline")
	s.expect("inactive", "sync.service", lab, metered, unmetered)

	s.plugIn()
	s.internet(online)
	s.expect("active", "sync.service", wire, hotspot)
	s.record()
	s.root("nmcli connection down Hotspot")
	s.expect("inactive", hotspot)
	s.expect("active", lab) // NetworkManager brings it up by itself, and may refuse what is asked for meanwhile
	s.root("nmcli connection up Hotspot")
	s.expect("active", hotspot)
	s.sure("internet online")
	s.starts(map[string]int{online: 0, offline: 0, "sync.service": 0, hotspot: 1})
}
