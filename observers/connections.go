package observers

import (
	"slices"
	"strings"

	nm "github.com/Wifx/gonetworkmanager/v2"
)

const (
	activeConnectionInterface = networkManagerName + ".Connection.Active"

	// connections is what the source is known by.
	connections = "connections"

	// None is the position of a switch over a set that is empty.
	None = "none"
)

// Connections is the source of which NetworkManager profiles are active. It is
// apart from [NetworkManager] so that what is said there need not wait until
// each of many connections has been read.
func Connections() Source {
	return Source{
		ID:        connections,
		Name:      networkManagerName,
		Label:     "NetworkManager",
		Path:      networkManagerPath,
		Interface: networkManagerInterface,
		Properties: map[string]string{
			"Startup": "b", // connections of before a restart are still being brought up
		},
		Children: &Children{
			Property:  "ActiveConnections",
			Below:     networkManagerPath + "/ActiveConnection",
			Interface: activeConnectionInterface,
			Properties: map[string]string{
				"Id":    "s", // the profile's name
				"Type":  "s", // as "wireguard", https://networkmanager.dev/docs/api/latest/settings-connection.html
				"Vpn":   "b",
				"State": "u", // https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMActiveConnectionState
			},
		},
		Words: map[string]func(uint32) string{
			"State": func(n uint32) string {
				return strings.TrimPrefix(nm.NmActiveConnectionState(n).String(), "NmActiveConnectionState")
			},
		},
		Farewells: farewells(),
	}
}

func byConnection() Template { return Template{Prefix: "connection@", Suffix: ".target"} }

// ofActive reads a switch from the connections that are up.
func ofActive(policy Policy, read func(up []Facts) Reading) func(World) Reading {
	return func(world World) Reading {
		facts := world[connections]
		if facts.Problem != "" {
			return Reading{Reason: facts.Problem, After: policy.GoneGrace}
		}
		var up []Facts
		for _, child := range facts.Children() {
			if state, _ := child.Uint32("State"); nm.NmActiveConnectionState(state) == nm.NmActiveConnectionStateActivated {
				up = append(up, child)
			}
		}
		reading := read(up)
		if startup, _ := facts.Bool("Startup"); startup {
			// A restarted NetworkManager brings up again what never went down.
			reading.Reason += " Startup=true"
			reading.After = policy.GoneGrace
		}
		return reading
	}
}

// vpn reads whether a VPN of NetworkManager is up.
func vpn(up []Facts) Reading {
	for _, connection := range up {
		kind, _ := connection.Text("Type")
		if isVPN, _ := connection.Bool("Vpn"); isVPN || kind == "wireguard" {
			name, _ := connection.Text("Id")
			return Reading{Position: "up", Reason: "Id=" + legible(name) + " Type=" + kind}
		}
	}
	return Reading{Position: "down", Reason: "no VPN is active"}
}

// connection reads the set of active profiles.
func connection(up []Facts) Reading {
	var names, words []string
	for _, connection := range up {
		name, _ := connection.Text("Id")
		kind, _ := connection.Text("Type")
		word := Word(Escape(name))
		// A name that is too long for a unit has no target.
		if kind == "loopback" || !byConnection().fits(Escape(name)) || slices.Contains(words, word) {
			continue
		}
		names, words = append(names, legible(name)), append(words, word)
	}
	slices.Sort(names)
	slices.Sort(words)
	if len(words) == 0 {
		return Reading{Position: None, Reason: "no profile is active"}
	}
	return Reading{Position: strings.Join(words, " "), Reason: "active: " + strings.Join(names, ", ")}
}
