package scenes

import (
	"strings"
	"testing"
)

const (
	lab  = "connection@lab.target" // the Wi-Fi's
	wire = "connection@wire.target"

	// wifiNetwork and wireNetwork are the router's ports.
	wifiNetwork = "lan"
	wireNetwork = "port"
)

// plugIn gives the laptop a cable, until the end of the scene.
func (s *scene) plugIn() {
	s.Helper()
	s.root("ip -n ap link set eth0 netns 1")
	s.afterwards("ip link set eth0 netns ap")
}

// upstream cuts the router off from the internet for one of its networks, or takes
// that back.
func (s *scene) upstream(network string, cut bool) {
	s.Helper()
	verb := "delete"
	if cut {
		verb = "add"
	}
	s.root("ip -n ap rule " + verb + " iif " + network + " unreachable")
}

// reach returns what a device reaches, as NetworkManager says.
func (s *scene) reach(device string) string {
	s.Helper()
	said := s.root("nmcli --terse --get-values=GENERAL.IP4-CONNECTIVITY device show " + device) // 4 (full)
	_, word, _ := strings.Cut(said, "(")
	return strings.TrimSuffix(word, ")")
}

// reaches waits until NetworkManager says what a device reaches.
func (s *scene) reaches(device, connectivity string) {
	s.Helper()
	s.until(device+" reaches "+connectivity, func() bool { return s.reach(device) == connectivity })
}

// isNamed waits until the status names the device that decides. NetworkManager's own
// Connectivity is that of the link that reaches most since 1.58, and then decides.
func (s *scene) isNamed(device string) {
	s.Helper()
	s.until("the status names "+device, func() bool {
		return s.root("nmcli --terse --fields=CONNECTIVITY general") == "full" ||
			strings.Contains(s.user(".local/bin/nm-session-bridge status"), device+".Ip4Connectivity=Full")
	})
	s.sure("internet online")
}

// uplink waits until the default route takes a kind of link, and its target alone
// stands for it. NetworkManager may prefer Wi-Fi to a wire that was not checked yet when
// it was plugged in, also once both reach the internet.
func (s *scene) uplink(kind string) {
	s.Helper()
	for _, one := range []string{"wired", "wifi", "cellular"} {
		state := "inactive"
		if one == kind {
			state = "active"
		}
		s.expect(state, "uplink-"+one+".target")
	}
	s.sure("uplink " + kind)
}

func TestWiFiAndAWire(t *testing.T) {
	s := beginOnline(t)
	s.plugIn()
	s.expect("active", wire)
	s.reaches("eth0", "full")

	for _, link := range []struct{ network, device, other string }{
		{wireNetwork, "eth0", "wlan0"},
		{wifiNetwork, "wlan0", "eth0"},
	} {
		s.upstream(link.network, true)
		s.reaches(link.device, "limited")
		s.isNamed(link.other)
		s.upstream(link.network, false)
		s.reaches(link.device, "full")
	}

	s.root("ip -n ap link set port down")
	s.expect("inactive", wire)
	s.sure("internet online")
	s.uplink("wifi")
	s.root("ip -n ap link set port up")
	s.expect("active", wire)
	s.reaches("eth0", "full")

	// NetworkManager 1.42 was seen to keep the connection without an access point.
	s.root("systemctl stop ap-hostapd")
	s.until("wlan0 reaches the internet no more", func() bool { return s.reach("wlan0") != "full" })
	s.sure("internet online")
	s.uplink("wired")
	s.root("systemctl start ap-hostapd")
	s.reaches("wlan0", "full")

	s.starts(map[string]int{online: 0, "sync.service": 0, "online.service": 0, offline: 0, "offline.service": 0, portal: 0})
}
