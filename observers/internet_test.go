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

// routed returns what NetworkManager says where it has a default route.
func routed(c nm.NmConnectivity, s nm.NmState) Facts {
	facts := network(c, s, false)
	facts.values["PrimaryConnectionType"] = "802-3-ethernet"
	return facts
}

// links returns the facts of devices, each with a default route of its own.
func links(devices ...Facts) Facts {
	facts := Facts{Source: routes}
	for _, device := range devices {
		facts.children = append(facts.children, Facts{children: []Facts{device}})
	}
	return facts
}

func device(name string, v4, v6 nm.NmConnectivity) Facts {
	return Facts{values: map[string]any{"Interface": name, "Ip4Connectivity": uint32(v4), "Ip6Connectivity": uint32(v6)}}
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
		{"limited is enough", lenient, routed(limited, site), "online", 0},
		{"limited is not enough without a default route", lenient, network(limited, nm.NmStateConnectedLocal, false), "offline", grace},
		{"limited is not enough once the default route has gone", lenient, network(limited, site, false), "offline", grace},
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
			got := internet(test.policy)(Snapshot{networkManager: test.facts, routes: links()})
			if got.Position != test.position || got.Grace != test.after {
				t.Errorf("got %q after %v (%s), want %q after %v", got.Position, got.Grace, got.Reason, test.position, test.after)
			}
		})
	}
}

func TestAPulledCableCountsAtOnceAfterTheFirstCheck(t *testing.T) {
	read := internet(policy())
	pulled := network(nm.NmConnectivityNone, nm.NmStateConnectedGlobal, false)
	read(Snapshot{routes: links(), networkManager: network(nm.NmConnectivityFull, nm.NmStateConnectedGlobal, false)})
	if got := read(Snapshot{networkManager: pulled, routes: links()}); got.Grace != 0 || got.Position != "offline" {
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

// Without an access point a Wi-Fi connection and its route stay for a while, as 1.52
// was seen to say.
func TestWiFiThatLosesItsAccessPointIsADoubt(t *testing.T) {
	lost := network(nm.NmConnectivityNone, nm.NmStateConnectedSite, false)
	of := func(kind nm.NmDeviceType) Facts {
		facts := device("some0", nm.NmConnectivityNone, nm.NmConnectivityUnknown)
		facts.values["DeviceType"] = uint32(kind)
		return facts
	}
	for name, test := range map[string]struct {
		links Facts
		grace time.Duration
	}{
		"Wi-Fi":           {links(of(nm.NmDeviceTypeWifi)), policy().LimitedGrace},
		"Wi-Fi and more":  {links(of(nm.NmDeviceTypeModem), of(nm.NmDeviceTypeWifi)), policy().LimitedGrace},
		"a wire":          {links(of(nm.NmDeviceTypeEthernet)), 0},
		"no route at all": {links(), 0},
	} {
		read := internet(policy())
		read(Snapshot{networkManager: network(nm.NmConnectivityFull, nm.NmStateConnectedGlobal, false)})
		got := read(Snapshot{networkManager: lost, routes: test.links})
		if got.Position != "offline" || got.Grace != test.grace || (got.GraceOnlyFrom == AnyPosition) != (test.grace > 0) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A link that is plugged in beside another takes over the default route before it has been
// checked, as 1.42 and 1.52 were seen to say. A cable that is pulled afterwards leaves no doubt.
func TestALinkThatWasNotCheckedYetIsADoubt(t *testing.T) {
	const full, none = nm.NmConnectivityFull, nm.NmConnectivityNone
	const connecting, site, global = nm.NmStateConnecting, nm.NmStateConnectedSite, nm.NmStateConnectedGlobal
	wire := links(device("eth0", none, nm.NmConnectivityUnknown))
	for name, states := range map[string][]nm.NmState{"its State first": {site}, "an older State": {global, site}} {
		t.Run(name, func(t *testing.T) {
			read := internet(policy())
			hears := func(connectivity nm.NmConnectivity, state nm.NmState, grace time.Duration) {
				t.Helper()
				got := read(Snapshot{networkManager: network(connectivity, state, false), routes: wire})
				if got.Grace != grace || (got.Position == "online") != (connectivity == full) {
					t.Errorf("Connectivity %v in State %v: %+v", connectivity, state, got)
				}
			}
			hears(full, global, 0)
			hears(none, global, 0)
			hears(full, global, 0)
			hears(full, connecting, 0)
			hears(full, states[0], 0)
			for _, state := range states {
				hears(none, state, policy().LimitedGrace)
			}
			hears(full, global, 0)
			hears(none, global, 0)
			hears(none, nm.NmStateDisconnected, 0)
			hears(none, connecting, 0)
			hears(full, connecting, 0)
			hears(full, global, 0)
			hears(none, global, 0)
		})
	}
}

func TestInternetReasonsUseNetworkManagersNames(t *testing.T) {
	got := internet(policy())(Snapshot{networkManager: network(nm.NmConnectivityLimited, nm.NmStateConnectedSite, true)})
	if want := "Connectivity=Limited State=ConnectedSite Startup=true"; got.Reason != want {
		t.Errorf("reason %q, want %q", got.Reason, want)
	}
}

// What 1.42 and 1.58 were seen to say of two links, the first of which has the
// better metric. 1.58 has the global value of the best one.
func TestTheLinkThatReachesMostDecides(t *testing.T) {
	const (
		unknown = nm.NmConnectivityUnknown
		none    = nm.NmConnectivityNone
		portal  = nm.NmConnectivityPortal
		limited = nm.NmConnectivityLimited
		full    = nm.NmConnectivityFull

		local  = nm.NmStateConnectedLocal
		site   = nm.NmStateConnectedSite
		global = nm.NmStateConnectedGlobal
	)
	lenient := policy()
	lenient.OnlineWhen = Limited
	eth0 := func(c nm.NmConnectivity) Facts { return device("eth0", c, unknown) }
	eth1 := func(c nm.NmConnectivity) Facts { return device("eth1", c, unknown) }
	for _, test := range []struct {
		name             string
		policy           Policy
		network, links   Facts
		position, reason string
	}{
		{"1.42, the first refused", policy(), network(limited, site, false), links(eth0(limited), eth1(full)), "online", "Connectivity=Limited State=ConnectedSite eth1.Ip4Connectivity=Full"},
		{"1.42, the first behind a portal", policy(), network(portal, site, false), links(eth0(portal), eth1(full)), "online", "Connectivity=Portal State=ConnectedSite eth1.Ip4Connectivity=Full"},
		{"1.42, the first pulled", policy(), network(none, site, false), links(eth1(full)), "online", "Connectivity=None State=ConnectedSite eth1.Ip4Connectivity=Full"},
		{"1.42, the second behind a portal", policy(), network(none, site, false), links(eth0(none), eth1(portal)), "portal", "Connectivity=None State=ConnectedSite eth1.Ip4Connectivity=Portal"},
		{"1.42, IPv6 alone", policy(), network(limited, site, false), links(device("wwan0", none, full)), "online", "Connectivity=Limited State=ConnectedSite wwan0.Ip6Connectivity=Full"},
		{"1.42, starting", policy(), network(none, nm.NmStateConnecting, true), links(eth1(full)), "online", "Connectivity=None State=Connecting Startup=true eth1.Ip4Connectivity=Full"},
		{"1.58, the first refused", policy(), network(full, global, false), Facts{Source: routes, Problem: "NetworkManager is not asked", Awaited: true}, "online", "Connectivity=Full State=ConnectedGlobal"},
		{"1.58, both refused", policy(), network(limited, site, false), links(eth0(limited), eth1(limited)), "offline", "Connectivity=Limited State=ConnectedSite"},
		{"networking is off", policy(), network(limited, nm.NmStateAsleep, false), links(eth1(full)), "offline", "Connectivity=Limited State=Asleep"},
		{"limited is enough", lenient, routed(none, site), links(eth0(none), eth1(limited)), "online", "Connectivity=None State=ConnectedSite eth1.Ip4Connectivity=Limited"},
		{"limited is not enough behind a portal", lenient, routed(limited, site), links(eth0(portal), eth1(limited)), "portal", "Connectivity=Limited State=ConnectedSite eth0.Ip4Connectivity=Portal"},
		{"no link has a default route", lenient, network(limited, local, false), links(), "offline", "Connectivity=Limited State=ConnectedLocal, no default route"},
		{"the default route of the only link has gone", lenient, network(limited, site, false), links(eth0(limited)), "offline", "Connectivity=Limited State=ConnectedSite, no default route"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := internet(test.policy)(Snapshot{networkManager: test.network, routes: test.links})
			if got.Position != test.position || got.Reason != test.reason {
				t.Errorf("got %q because %s, want %q because %s", got.Position, got.Reason, test.position, test.reason)
			}
			c, _ := test.network.Uint32("Connectivity")
			s, _ := test.network.Uint32("State")
			isAsked := nm.NmConnectivity(c) != full && nm.NmState(s) != nm.NmStateAsleep
			if (got.Needs[routes] == Watched) != isAsked {
				t.Errorf("it needs %v", got.Needs)
			}
		})
	}
}

func TestNothingIsDecidedBeforeTheDevicesAreKnown(t *testing.T) {
	pulled := network(nm.NmConnectivityNone, nm.NmStateConnectedGlobal, false)
	pulled.Owner = ":1.2"
	for name, facts := range map[string]Facts{
		"not heard":                 {},
		"not asked yet":             {Source: routes, Problem: "NetworkManager is not asked", Awaited: true},
		"of another NetworkManager": {Source: routes, Owner: ":1.1"},
	} {
		read := internet(policy())
		online := network(nm.NmConnectivityFull, nm.NmStateConnectedGlobal, false)
		online.Owner = ":1.2"
		read(Snapshot{networkManager: online})
		if got := read(Snapshot{networkManager: pulled, routes: facts}); got.Grace != lookingGrace || got.GraceOnlyFrom != "" {
			t.Errorf("%s: %+v", name, got)
		}
		silent := Facts{Source: routes, Owner: ":1.2", Problem: "NetworkManager does not answer"}
		if got := read(Snapshot{networkManager: pulled, routes: silent}); got.Grace != 0 {
			t.Errorf("no answer: %+v", got)
		}
	}
}

func TestADoubtIsNoneOfThePositionsThatAreThere(t *testing.T) {
	for _, c := range []nm.NmConnectivity{nm.NmConnectivityLimited, nm.NmConnectivityUnknown} {
		got := internet(policy())(Snapshot{networkManager: network(c, nm.NmStateConnectedSite, false), routes: links()})
		if got.Position != "offline" || got.GraceOnlyFrom != AnyPosition || got.Grace == 0 {
			t.Errorf("%v: %+v", c, got)
		}
	}
}
