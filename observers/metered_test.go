package observers

import (
	"testing"
	"time"

	nm "github.com/Wifx/gonetworkmanager/v2"
)

func TestMetered(t *testing.T) {
	const global, disconnected = nm.NmStateConnectedGlobal, nm.NmStateDisconnected
	facts := func(metered nm.NmMetered, state nm.NmState, startup bool) Facts {
		return Facts{values: map[string]any{"Metered": uint32(metered), "State": uint32(state), "Startup": startup}}
	}
	grace := policy().GoneGrace
	for _, test := range []struct {
		name     string
		facts    Facts
		position string
		after    time.Duration
	}{
		{"yes", facts(nm.NmMeteredYes, global, false), "metered", 0},
		{"guessed", facts(nm.NmMeteredGuessYes, global, false), "metered", 0},
		{"no", facts(nm.NmMeteredNo, global, false), "unmetered", 0},
		{"guessed not", facts(nm.NmMeteredGuessNo, global, false), "unmetered", 0},
		{"not known", facts(nm.NmMeteredUnknown, global, false), Unknown, 0},
		{"offline", facts(nm.NmMeteredGuessNo, disconnected, false), Unknown, 0},
		{"starting up", facts(nm.NmMeteredUnknown, disconnected, true), Unknown, grace},
		{"away", Facts{Problem: "NetworkManager is not running"}, Unknown, grace},
		{"says nothing", Facts{}, Unknown, grace},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := metered(policy())(Snapshot{networkManager: test.facts})
			if got.Position != test.position || got.Grace != test.after {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// Only what a starting NetworkManager has not told yet may still come back.
func TestWhatThisNetworkManagerHadUpIsMissingAtOnce(t *testing.T) {
	const full, none = nm.NmConnectivityFull, nm.NmConnectivityNone
	starting := func(owner string, values map[string]any, up ...Facts) Facts {
		values["Startup"] = true
		return Facts{Owner: owner, values: values, children: up}
	}
	network := func(owner string, c nm.NmConnectivity, m nm.NmMetered, s nm.NmState) Facts {
		return starting(owner, map[string]any{"Connectivity": uint32(c), "Metered": uint32(m), "State": uint32(s)})
	}
	tunnel := active("wg", "wireguard", false, nm.NmActiveConnectionStateActivated)
	for _, test := range []struct {
		name             string
		reader           Reader
		source           string
		there, missing   func(owner string) Facts
		thereIn, nowhere string
	}{
		{
			"internet", internet(policy()), networkManager,
			func(o string) Facts { return network(o, full, nm.NmMeteredNo, nm.NmStateConnectedGlobal) },
			func(o string) Facts { return network(o, none, nm.NmMeteredUnknown, nm.NmStateDisconnected) }, "online", "offline",
		},
		{
			"metered", metered(policy()), networkManager,
			func(o string) Facts { return network(o, full, nm.NmMeteredNo, nm.NmStateConnectedGlobal) },
			func(o string) Facts { return network(o, none, nm.NmMeteredUnknown, nm.NmStateDisconnected) }, "unmetered", Unknown,
		},
		{
			"uplink", uplink(policy()), networkManager,
			func(o string) Facts { return starting(o, map[string]any{"PrimaryConnectionType": "802-3-ethernet"}) },
			func(o string) Facts { return starting(o, map[string]any{"PrimaryConnectionType": ""}) }, "wired", None,
		},
		{
			"vpn", vpn(policy()), connections,
			func(o string) Facts { return starting(o, map[string]any{}, tunnel) },
			func(o string) Facts { return starting(o, map[string]any{}) }, "up", "down",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, step := range []struct {
				facts    Facts
				position string
				grace    time.Duration
			}{
				{test.missing(":1.1"), test.nowhere, policy().GoneGrace},
				{test.there(":1.1"), test.thereIn, 0},
				{test.missing(":1.1"), test.nowhere, 0},
				{test.missing(":1.2"), test.nowhere, policy().GoneGrace},
			} {
				got := test.reader(Snapshot{test.source: step.facts, routes: {Source: routes, Owner: step.facts.Owner}})
				if got.Position != step.position || got.Grace != step.grace {
					t.Errorf("got %+v, want %+v", got, step)
				}
			}
		})
	}
}
