package observers

import (
	"fmt"
	"strings"
	"time"

	nm "github.com/Wifx/gonetworkmanager/v2"
	"github.com/godbus/dbus/v5"
)

const (
	networkManagerName      = "org.freedesktop.NetworkManager"
	networkManagerPath      = "/org/freedesktop/NetworkManager"
	networkManagerInterface = networkManagerName

	// networkManager is what the source is known by.
	networkManager = "NetworkManager"
)

// leavingGrace is how long to wait for NetworkManager's name to go once its
// Connectivity has become Unknown, which it does on its way out. The name was
// seen to go within 200 ms.
const leavingGrace = time.Second

// NetworkManager is the source of what NetworkManager says of the network. Any
// user may read it and hears its signals, also without a session.
func NetworkManager() Source {
	return Source{
		ID:        networkManager,
		Name:      networkManagerName,
		Label:     "NetworkManager",
		Path:      networkManagerPath,
		Interface: networkManagerInterface,
		Properties: map[string]string{
			"Connectivity": "u", // https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMConnectivityState
			"State":        "u", // https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMState
			"Metered":      "u", // https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMMetered
			"Startup":      "b", // devices known at its start are still being brought up
			// Only told to people: without the check Connectivity is a guess.
			"ConnectivityCheckEnabled": "b",
		},
		Words: map[string]func(uint32) string{
			"Connectivity": func(n uint32) string { return connectivityWord(nm.NmConnectivity(n)) },
			"State":        func(n uint32) string { return stateWord(nm.NmState(n)) },
			"Metered":      func(n uint32) string { return meteredWord(nm.NmMetered(n)) },
		},
		Farewells: farewells(),
	}
}

// farewells are how NetworkManager says that it is about to go, before it calls
// a network disconnected that it takes down for its restart.
func farewells() []Farewell {
	return []Farewell{
		// The first object is the loopback device, which goes only when
		// NetworkManager itself does. Up to 1.56 it is the first to go.
		{Interface: networkManagerInterface, Member: "DeviceRemoved", From: networkManagerPath, Body: []any{dbus.ObjectPath(networkManagerPath + "/Devices/1")}},
		// From 1.58 on, what has an address of DHCP goes before it. A device
		// that is taken down otherwise has another reason: nowhere else does
		// nm-device.c of 1.42 to 1.58 have these two together.
		{
			Interface: networkManagerInterface + ".Device", Member: "StateChanged", From: networkManagerPath + "/Devices",
			Body: []any{uint32(nm.NmDeviceStateDeactivating), nil, uint32(nm.NmDeviceStateReasonNowUnmanaged)},
		},
	}
}

// internet reads the position of the internet switch.
func internet(policy Policy) func(World) Reading {
	var first firstCheck
	return func(world World) Reading {
		facts := world[networkManager]
		if facts.Problem != "" {
			// A restarting NetworkManager keeps its links up: no outage yet.
			return Reading{Position: "offline", Reason: facts.Problem, After: policy.GoneGrace}
		}
		c, knowsConnectivity := facts.Uint32("Connectivity")
		s, knowsState := facts.Uint32("State")
		if !knowsConnectivity || !knowsState {
			return Reading{Position: "offline", Reason: "NetworkManager does not tell its Connectivity and State", After: policy.GoneGrace}
		}
		startup, _ := facts.Bool("Startup")
		connectivity, state := nm.NmConnectivity(c), nm.NmState(s)
		first.note(facts.Owner, connectivity)
		reading := Reading{Position: "offline", Reason: networkReason(connectivity, state, startup)}
		switch {
		case state == nm.NmStateAsleep:
			// Networking is off; Connectivity follows some milliseconds later.
		case connectivity == nm.NmConnectivityFull:
			reading.Position = "online"
		case connectivity == nm.NmConnectivityUnknown && state == nm.NmStateConnectedGlobal:
			// The connectivity check is off and NetworkManager too old to guess.
			reading.Position = "online"
		case connectivity == nm.NmConnectivityPortal:
			reading.Position = "portal"
		case connectivity == nm.NmConnectivityLimited && state >= nm.NmStateConnectedLocal && policy.OnlineWhen == Limited:
			reading.Position = "online"
		case startup:
			// A restarted NetworkManager passes through Unknown, None and
			// Limited, also with a link that never went away.
			reading.After = policy.GoneGrace
		case connectivity == nm.NmConnectivityNone && state >= nm.NmStateConnectedLocal && !first.done:
			// Startup does not wait for the outcome of the first check.
			reading.After = policy.LimitedGrace
		case connectivity == nm.NmConnectivityLimited && state > nm.NmStateDisconnecting:
			// One failed probe makes it, and every start passes through it.
			reading.Doubts, reading.After = "online", policy.LimitedGrace
		case connectivity == nm.NmConnectivityUnknown:
			reading.Doubts, reading.After = "online", leavingGrace
		}
		return reading
	}
}

// firstCheck remembers whether a NetworkManager has finished a connectivity
// check since it was started.
type firstCheck struct {
	owner string
	done  bool
}

func (f *firstCheck) note(owner string, connectivity nm.NmConnectivity) {
	if owner != f.owner {
		*f = firstCheck{owner: owner}
	}
	// Limited is no outcome: on Wi-Fi it also comes and goes before the first.
	f.done = f.done || connectivity == nm.NmConnectivityFull || connectivity == nm.NmConnectivityPortal
}

func networkReason(connectivity nm.NmConnectivity, state nm.NmState, startup bool) string {
	reason := fmt.Sprintf("Connectivity=%s State=%s", connectivityWord(connectivity), stateWord(state))
	if startup {
		reason += " Startup=true"
	}
	return reason
}

func connectivityWord(c nm.NmConnectivity) string {
	return strings.TrimPrefix(c.String(), "NmConnectivity")
}

func stateWord(s nm.NmState) string {
	return strings.TrimPrefix(s.String(), "NmState")
}
