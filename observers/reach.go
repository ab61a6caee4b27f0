package observers

import (
	"fmt"

	nm "github.com/Wifx/gonetworkmanager/v2"
)

// reach is a device with a default route, and what it reaches.
type reach struct {
	connectivity nm.NmConnectivity
	reason       string
}

// bestReach returns the device that reaches most, if there is one. Up to 1.56,
// NetworkManager's own Connectivity is that of the connection with the best
// configured metric, even where packets leave by another.
func bestReach(facts Facts) (best reach) {
	for _, connection := range facts.Children() {
		for _, device := range connection.Children() {
			for _, property := range []string{"Ip4Connectivity", "Ip6Connectivity"} {
				c, _ := device.Uint32(property)
				connectivity := nm.NmConnectivity(c)
				if !isBetter(connectivity, best.connectivity) {
					continue
				}
				name, _ := device.Text("Interface")
				best = reach{connectivity, fmt.Sprintf("%s.%s=%s", legible(name), property, connectivityWord(connectivity))}
			}
		}
	}
	return best
}

// mayRoam reports whether a device with a default route is on Wi-Fi. One that has
// just lost its access point looks for another of the same network.
func mayRoam(facts Facts) bool {
	for _, connection := range facts.Children() {
		for _, device := range connection.Children() {
			kind, _ := device.Uint32("DeviceType")
			if nm.NmDeviceType(kind) == nm.NmDeviceTypeWifi {
				return true
			}
		}
	}
	return false
}

// isBetter compares two connectivities. Behind a portal a sign-in helps; limited
// connectivity may be less.
func isBetter(one, other nm.NmConnectivity) bool {
	rank := map[nm.NmConnectivity]int{
		nm.NmConnectivityNone: 1, nm.NmConnectivityLimited: 2, nm.NmConnectivityPortal: 3, nm.NmConnectivityFull: 4,
	}
	return rank[one] > rank[other]
}
