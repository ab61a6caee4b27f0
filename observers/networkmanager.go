package observers

import (
	"strings"

	nm "github.com/Wifx/gonetworkmanager/v2"
	"github.com/godbus/dbus/v5"
)

const (
	networkManagerName      = "org.freedesktop.NetworkManager"
	networkManagerPath      = "/org/freedesktop/NetworkManager"
	networkManagerInterface = networkManagerName

	activeConnectionPath      = networkManagerPath + "/ActiveConnection"
	activeConnectionInterface = networkManagerName + ".Connection.Active"

	// networkManager, connections and routes are the IDs of the sources.
	networkManager = "NetworkManager"
	connections    = "connections"
	routes         = "routes"
)

// NetworkManager is the source for what NetworkManager says about the network.
// Any user may read it and gets its signals, with or without a session.
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
				// It is empty while NetworkManager has no default route.
				"PrimaryConnectionType": "s",
				// No switch depends on it. People want to know it because without the check
				// Connectivity is a guess.
				"ConnectivityCheckEnabled": "b",
			},
			Words: map[string]func(uint32) string{
				"Connectivity": func(n uint32) string { return connectivityWord(nm.NmConnectivity(n)) },
				"State":        func(n uint32) string { return stateWord(nm.NmState(n)) },
				"Metered":      func(n uint32) string { return meteredWord(nm.NmMetered(n)) },
			},
		},
		Farewells: farewells(),
	}
}

// Connections is the source for the active NetworkManager profiles. It is
// separate from [NetworkManager] so that the facts there need not wait until
// many connections have been read.
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
		Farewells: farewells(),
	}
}

// Routes is the source for what each device with a default route reaches. It is needed only
// if NetworkManager as a whole does not reach the internet.
func Routes() Source {
	return Source{
		ID:       routes,
		Name:     networkManagerName,
		Label:    "NetworkManager",
		OnDemand: true,
		Root: Kind{
			Path:      networkManagerPath,
			Interface: networkManagerInterface,
			Links: []Link{{Property: "ActiveConnections", Kind: Kind{
				Path:      activeConnectionPath,
				Interface: activeConnectionInterface,
				Properties: map[string]string{
					"Default":  "b", // whether it has the IPv4 default route
					"Default6": "b", // the same for IPv6
				},
				Links: []Link{{Property: "Devices", While: []string{"Default", "Default6"}, Kind: routeDevice()}},
			}}},
		},
		Farewells: farewells(),
	}
}

func routeDevice() Kind {
	word := func(n uint32) string { return connectivityWord(nm.NmConnectivity(n)) }
	return Kind{
		Path:      networkManagerPath + "/Devices",
		Interface: networkManagerInterface + ".Device",
		Properties: map[string]string{
			"Interface":       "s", // its name
			"DeviceType":      "u", // https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMDeviceType
			"Ip4Connectivity": "u", // https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMConnectivityState
			"Ip6Connectivity": "u",
		},
		Words: map[string]func(uint32) string{"Ip4Connectivity": word, "Ip6Connectivity": word},
	}
}

func activeConnection() Kind {
	return Kind{
		Path:      activeConnectionPath,
		Interface: activeConnectionInterface,
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

// farewells are the signals by which NetworkManager announces that it is about
// to stop. They come before it reports networks as disconnected that it takes
// down for its restart.
func farewells() []Farewell {
	return []Farewell{
		// The first device is loopback, which NetworkManager removes only when it stops. Up
		// to 1.56, it removes that device first.
		{
			Interface: networkManagerInterface, Member: "DeviceRemoved", From: networkManagerPath,
			Body: []any{dbus.ObjectPath(networkManagerPath + "/Devices/1")},
		},
		// Since 1.58, it takes a device with an address from DHCP down before loopback. A
		// device that is taken down otherwise has another reason: nm-device.c of 1.42 to
		// 1.58 uses these two together nowhere else.
		{
			Interface: networkManagerInterface + ".Device", Member: "StateChanged", From: networkManagerPath + "/Devices",
			Body: []any{uint32(nm.NmDeviceStateDeactivating), nil, uint32(nm.NmDeviceStateReasonNowUnmanaged)},
		},
	}
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
