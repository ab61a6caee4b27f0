package chaos

import (
	"slices"
	"testing"

	"github.com/godbus/dbus/v5"
)

// with returns what a network says: its global state, and what its links reach,
// by their names.
func with(state, connectivity uint32, reach map[string]uint32) network {
	active, devices := map[dbus.ObjectPath]profile{}, map[dbus.ObjectPath]device{}
	for name, reaches := range reach {
		path := dbus.ObjectPath("/" + name)
		active[path] = profile{routes4: true, devices: []dbus.ObjectPath{path}}
		devices[path] = device{name: name, reaches4: reaches, reaches6: nowhere}
	}
	active["/no/route"] = profile{devices: []dbus.ObjectPath{"/docker0"}}
	devices["/docker0"] = device{name: "docker0", reaches4: full}
	n := network{present: true, state: state, connectivity: connectivity}
	n.takeLinks(active, devices)
	return n
}

func TestTheLinkThatReachesMostDecides(t *testing.T) {
	for _, test := range []struct {
		network  network
		position string
		by       []string
	}{
		{with(60, limited, map[string]uint32{"eth0": limited, "eth1": full}), "online", []string{"eth1"}},
		{with(60, captive, map[string]uint32{"eth0": captive, "eth1": full}), "online", []string{"eth1"}},
		{with(60, limited, map[string]uint32{"eth0": limited, "eth1": captive}), "portal", []string{"eth1"}},
		{with(60, captive, map[string]uint32{"eth0": captive, "eth1": limited}), "portal", nil},
		{with(60, limited, map[string]uint32{"eth0": limited, "eth1": limited}), "offline", nil},
		{with(60, nowhere, map[string]uint32{"eth0": limited}), "offline", []string{"eth0"}},
		{with(60, nowhere, map[string]uint32{"eth1": full, "eth0": full}), "online", []string{"eth0", "eth1"}},
		{with(50, limited, nil), "offline", nil},
		{with(70, full, map[string]uint32{"eth0": limited}), "online", nil},
		{with(70, untold, nil), "online", nil},
		{with(10, full, map[string]uint32{"eth0": full}), "offline", nil},
		{network{connectivity: full}, "offline", nil},
	} {
		position, by := test.network.internet()
		if position != test.position || !slices.Equal(by, test.by) {
			t.Errorf("%+v: %s by %q, not %s by %q", test.network, position, by, test.position, test.by)
		}
	}
}
