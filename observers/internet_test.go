package observers

import (
	"testing"
	"time"

	nm "github.com/Wifx/gonetworkmanager/v2"
)

func network(c nm.NmConnectivity, s nm.NmState, startup bool) Facts {
	return Facts{Source: networkManager, values: map[string]any{
		"Connectivity": uint32(c), "State": uint32(s), "Startup": startup,
	}}
}

func TestInternet(t *testing.T) {
	const (
		unknown = nm.NmConnectivityUnknown
		none    = nm.NmConnectivityNone
		portal  = nm.NmConnectivityPortal
		limited = nm.NmConnectivityLimited
		full    = nm.NmConnectivityFull

		asleep       = nm.NmStateAsleep
		disconnected = nm.NmStateDisconnected
		connecting   = nm.NmStateConnecting
		site         = nm.NmStateConnectedSite
		global       = nm.NmStateConnectedGlobal
	)
	grace, gone := policy().LimitedGrace, policy().GoneGrace
	lenient := policy()
	lenient.OnlineWhen = Limited
	for _, test := range []struct {
		name     string
		policy   Policy
		facts    Facts
		position string
		after    time.Duration
	}{
		{"full", policy(), network(full, global, false), "online", 0},
		{"full while still connecting", policy(), network(full, connecting, false), "online", 0},
		{"full while disconnected", policy(), network(full, disconnected, false), "online", 0},
		{"full while networking is off", policy(), network(full, asleep, false), "offline", 0},
		{"portal while networking is off", policy(), network(portal, asleep, false), "offline", 0},
		{"disconnected", policy(), network(none, disconnected, false), "offline", 0},
		{"portal", policy(), network(portal, site, false), "portal", 0},
		{"limited", policy(), network(limited, site, false), "offline", grace},
		{"limited is enough", lenient, network(limited, site, false), "online", 0},
		{"limited is enough, but not without an address", lenient, network(limited, connecting, false), "offline", grace},
		{"limited is enough, none is not", lenient, network(none, disconnected, false), "offline", 0},
		{"check disabled in an old NetworkManager", policy(), network(unknown, global, false), "online", 0},
		{"check disabled and no network", policy(), network(unknown, disconnected, false), "offline", leavingGrace},
		{"stopping", policy(), network(unknown, site, false), "offline", leavingGrace},
		{"starting up", policy(), network(unknown, connecting, true), "offline", gone},
		{"starting up, the link not found yet", policy(), network(none, disconnected, true), "offline", gone},
		{"starting up, no check has succeeded", policy(), network(limited, connecting, true), "offline", gone},
		{"started up, first check under way", policy(), network(none, site, false), "offline", grace},
		{"started up, nothing to check", policy(), network(none, disconnected, false), "offline", 0},
		{"limited on the way down", policy(), network(limited, disconnected, false), "offline", 0},
		{"starting up, check done", policy(), network(full, global, true), "online", 0},
		{"away", policy(), Facts{Source: networkManager, Problem: "NetworkManager is not running"}, "offline", gone},
		{"says nothing", policy(), Facts{Source: networkManager}, "offline", gone},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := internet(test.policy)(Snapshot{networkManager: test.facts})
			if got.Position != test.position || got.Grace != test.after {
				t.Errorf("got %q after %v (%s), want %q after %v", got.Position, got.Grace, got.Reason, test.position, test.after)
			}
		})
	}
}

func TestAPulledCableCountsAtOnceAfterTheFirstCheck(t *testing.T) {
	read := internet(policy())
	pulled := network(nm.NmConnectivityNone, nm.NmStateConnectedGlobal, false)
	read(Snapshot{networkManager: network(nm.NmConnectivityFull, nm.NmStateConnectedGlobal, false)})
	if got := read(Snapshot{networkManager: pulled}); got.Grace != 0 || got.Position != "offline" {
		t.Errorf("after a check: %+v", got)
	}
	pulled.Owner = ":1.2" // a NetworkManager that has just been started
	if got := read(Snapshot{networkManager: pulled}); got.Grace != policy().LimitedGrace {
		t.Errorf("before the first check: %+v", got)
	}
	// A restart on Wi-Fi was seen to end like this: Limited, None, then State before Connectivity.
	limited := network(nm.NmConnectivityLimited, nm.NmStateConnectedSite, false)
	limited.Owner = ":1.2"
	read(Snapshot{networkManager: limited})
	if got := read(Snapshot{networkManager: pulled}); got.Grace != policy().LimitedGrace {
		t.Errorf("after limited connectivity, before the first check: %+v", got)
	}
}

func TestInternetReasonsUseNetworkManagersNames(t *testing.T) {
	got := internet(policy())(Snapshot{networkManager: network(nm.NmConnectivityLimited, nm.NmStateConnectedSite, true)})
	if want := "Connectivity=Limited State=ConnectedSite Startup=true"; got.Reason != want {
		t.Errorf("reason %q, want %q", got.Reason, want)
	}
}
