package observers

import (
	"strings"

	nm "github.com/Wifx/gonetworkmanager/v2"
)

const (
	networkManagerName      = "org.freedesktop.NetworkManager"
	networkManagerPath      = "/org/freedesktop/NetworkManager"
	networkManagerInterface = networkManagerName

	// networkManager and connections are the IDs of the sources.
	networkManager = "NetworkManager"
	connections    = "connections"
)

// NetworkManager is the source of what NetworkManager says of the network. Any
// user may read it and gets its signals, with or without a session.
func NetworkManager() Source {
	return Source{
		ID:    networkManager,
		Name:  networkManagerName,
		Label: "NetworkManager",
		Root: Kind{
			Path:      networkManagerPath,
			Interface: networkManagerInterface,
			Properties: map[string]string{
				"Connectivity": "u", // https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMConnectivityState
				"State":        "u", // https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMState
				"Metered":      "u", // https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMMetered
				"Startup":      "b", // devices known at its start are still being activated
				// Nothing is decided by it; people want to know, because without the
				// check Connectivity is a guess.
				"ConnectivityCheckEnabled": "b",
			},
			Words: map[string]func(uint32) string{
				"Connectivity": func(n uint32) string { return connectivityWord(nm.NmConnectivity(n)) },
				"State":        func(n uint32) string { return stateWord(nm.NmState(n)) },
				"Metered":      func(n uint32) string { return meteredWord(nm.NmMetered(n)) },
			},
		},
		Farewell: farewell(),
	}
}

// Connections is the source of which NetworkManager profiles are active. It is
// separate from [NetworkManager] so that what is said there does not wait until
// each of many connections has been read.
func Connections() Source {
	return Source{
		ID:    connections,
		Name:  networkManagerName,
		Label: "NetworkManager",
		Root: Kind{
			Path:      networkManagerPath,
			Interface: networkManagerInterface,
			Properties: map[string]string{
				"Startup": "b", // connections from before a restart are still being activated
			},
			Links: []Link{{Property: "ActiveConnections", Kind: activeConnection()}},
		},
		Farewell: farewell(),
	}
}

func activeConnection() Kind {
	return Kind{
		Path:      networkManagerPath + "/ActiveConnection",
		Interface: networkManagerName + ".Connection.Active",
		Properties: map[string]string{
			"Id":    "s", // the profile's name
			"Type":  "s", // such as "wireguard", https://networkmanager.dev/docs/api/latest/settings-connection.html
			"Vpn":   "b",
			"State": "u", // https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMActiveConnectionState
		},
		Words: map[string]func(uint32) string{
			"State": func(n uint32) string {
				return strings.TrimPrefix(nm.NmActiveConnectionState(n).String(), "NmActiveConnectionState")
			},
		},
	}
}

// farewell is how NetworkManager says that it is about to stop. The first device
// is the loopback device, which goes only when NetworkManager does: before all
// else, and before it calls a Wi-Fi disconnected that it takes down to restart.
func farewell() Farewell {
	return Farewell{Member: "DeviceRemoved", Path: networkManagerPath + "/Devices/1"}
}

// activated returns the connections that are up.
func activated(facts Facts) []Facts {
	var up []Facts
	for _, child := range facts.Children() {
		if state, _ := child.Uint32("State"); nm.NmActiveConnectionState(state) == nm.NmActiveConnectionStateActivated {
			up = append(up, child)
		}
	}
	return up
}

func connectivityWord(c nm.NmConnectivity) string {
	return strings.TrimPrefix(c.String(), "NmConnectivity")
}

func stateWord(s nm.NmState) string {
	return strings.TrimPrefix(s.String(), "NmState")
}

func meteredWord(m nm.NmMetered) string {
	return strings.TrimPrefix(m.String(), "NmMetered")
}
