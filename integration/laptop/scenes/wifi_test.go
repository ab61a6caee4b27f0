package scenes

import (
	"strings"
	"testing"
)

// beginOnline installs the bridge in a laptop that is online, with a service and
// two oneshots that follow the internet.
func beginOnline(t *testing.T) *scene {
	t.Helper()
	s := beginOpen(t)
	s.enable(map[string]string{
		"sync.service": while(online), "online.service": once(online), "offline.service": once(offline),
		"browser.service": once(portal),
	})
	s.flags("--gone-grace=1h")
	s.install()
	s.internet(online)
	s.record()
	return s
}

// back waits until the laptop is online for the second time, and checks that
// everything was started once more.
func (s *scene) back() {
	s.Helper()
	s.internet(online)
	s.expect("active", "sync.service")
	s.starts(map[string]int{
		online: 1, "sync.service": 1, "online.service": 1, offline: 1, "offline.service": 1,
	})
}

func TestAccessPointVanishesAndReturns(t *testing.T) {
	onOneLaptop(t)
	s := beginOnline(t)
	s.root("systemctl stop ap-hostapd")
	s.internet(offline)
	s.expect("inactive", "sync.service")
	s.root("systemctl start ap-hostapd")
	s.back()
	s.starts(map[string]int{portal: 0})
}

func TestRadioOffAndOn(t *testing.T) {
	onOneLaptop(t)
	s := beginOnline(t)
	s.root("nmcli radio wifi off")
	s.internet(offline)
	s.expect("inactive", "sync.service")
	s.root("nmcli radio wifi on")
	s.root("systemctl restart ap-hostapd") // its radio is upset too
	s.back()
	s.starts(map[string]int{portal: 0})
}

func TestPortalAndSignIn(t *testing.T) {
	onOneLaptop(t)
	s := beginOnline(t)
	s.root("echo portal >/run/check")
	s.afterwards("rm -f /run/check")
	s.internet(offline, portal)
	s.expect("inactive", "sync.service")
	s.root("rm /run/check")
	s.back()
	s.starts(map[string]int{portal: 1, "browser.service": 1})
}

func TestNetworkManagerRestarts(t *testing.T) {
	s := beginOnline(t)
	for restarts := 0; restarts < 2; {
		s.expect("active", lab, unmetered, vpnDown)
		s.record()
		s.root("systemctl restart NetworkManager")
		s.untilFull()
		s.internet(online)
		s.sure("internet online")
		if !s.startedWithWiFi() {
			t.Log("NetworkManager started without Wi-Fi, so the laptop really was offline; restarting it once more")
			continue
		}
		s.starts(map[string]int{
			online: 0, "sync.service": 0, "online.service": 0, offline: 0, "offline.service": 0, bridgeUnit: 0,
			lab: 0, unmetered: 0, vpnDown: 0,
		})
		restarts++
	}
	s.oneLock()
}

// untilFull waits until NetworkManager reaches the internet. nmcli fails while
// NetworkManager starts, which owns its name some time before it has its objects.
func (s *scene) untilFull() {
	s.Helper()
	s.until("there is an internet", func() bool {
		return s.root("nmcli --terse --fields=CONNECTIVITY general || true") == "full"
	})
}

// startedWithWiFi waits until the running NetworkManager has said that its startup is
// complete, and reports whether its Wi-Fi was up by then. It is not if wpa_supplicant
// takes some seconds for an interface, as it may on a busy host: NetworkManager then logs
// "Couldn't initialize supplicant interface" and tries again after ten seconds.
func (s *scene) startedWithWiFi() bool {
	s.Helper()
	var before string
	s.until("NetworkManager's startup is complete", func() (isComplete bool) {
		log := s.root("journalctl --quiet --output=cat _PID=$(systemctl show --value --property=MainPID NetworkManager)")
		before, _, isComplete = strings.Cut(log, "startup complete")
		return isComplete
	})
	return strings.Contains(before, "(wlan0): state change: secondaries -> activated")
}

func TestOneOfTwoAccessPointsGoes(t *testing.T) {
	onOneLaptop(t)
	s := beginOnline(t)
	s.afterwards("systemctl stop ap-second && systemctl start ap-hostapd")
	points := []struct{ service, radio string }{{"ap-hostapd", "wlan1"}, {"ap-second", "wlan2"}}
	for i, goes := range points {
		stays := points[1-i]
		s.root("systemctl start " + stays.service)
		s.until(stays.radio+" is an access point", func() bool {
			return strings.Contains(s.root("ip netns exec ap iw dev "+stays.radio+" info"), "ssid lab")
		})
		s.root("systemctl stop " + goes.service)
		address := s.root("ip -n ap -brief link show " + stays.radio + " | awk '{ print $3 }'")
		s.until("the laptop uses "+stays.radio, func() bool {
			return strings.Contains(s.root("iw dev wlan0 link"), "Connected to "+address)
		})
		s.until("there is an internet", func() bool {
			return s.root("nmcli networking connectivity check") == "full"
		})
		s.sure("internet online")
	}
	s.starts(map[string]int{
		online: 0, "sync.service": 0, "online.service": 0, offline: 0, "offline.service": 0, portal: 0, lab: 0, unmetered: 0,
	})
}
