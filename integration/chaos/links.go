package chaos

import (
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

// What a network reaches, an NMConnectivityState.
const (
	untold = iota
	nowhere
	captive
	limited
	full
)

// reach orders what networks reach, from least to most. Behind a portal one can sign in.
func reach(connectivity uint32) int {
	return slices.Index([]uint32{untold, nowhere, limited, captive, full}, connectivity)
}

// device is a network interface.
type device struct {
	name               string
	reaches4, reaches6 uint32
}

// takeLinks stores what the devices with a default route reach.
func (n *network) takeLinks(active map[dbus.ObjectPath]profile, devices map[dbus.ObjectPath]device) {
	var by []string
	n.best = untold
	for _, p := range active {
		if !p.routes4 && !p.routes6 {
			continue
		}
		for _, path := range p.devices {
			d := devices[path]
			for _, reaches := range []uint32{d.reaches4, d.reaches6} {
				switch {
				case reach(reaches) > reach(n.best):
					n.best, by = reaches, []string{d.name}
				case reaches == n.best && reaches != untold:
					by = append(by, d.name)
				}
			}
		}
	}
	slices.Sort(by)
	n.by = strings.Join(slices.Compact(by), " ")
}

// internet returns the position of the internet switch once every grace is over, and the
// devices of which one decides it. There are none if NetworkManager's overall
// Connectivity decides it. The numbers are those of NetworkManager's D-Bus API.
func (n network) internet() (position string, by []string) {
	const asleep, global = 10, 70
	switch {
	case !n.present, n.state == asleep:
		return "offline", nil
	case n.connectivity == full, n.connectivity == untold && n.state == global:
		return "online", nil
	}
	connectivity := n.connectivity
	if reach(n.best) > reach(connectivity) {
		connectivity, by = n.best, strings.Fields(n.by)
	}
	switch connectivity {
	case full:
		return "online", by
	case captive:
		return "portal", by
	}
	return "offline", by
}
