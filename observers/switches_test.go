package observers

import (
	"maps"
	"slices"
	"testing"
	"time"

	nm "github.com/Wifx/gonetworkmanager/v2"
)

func policy() Policy {
	return Policy{OnlineWhen: Full, LimitedGrace: 5 * time.Second, GoneGrace: 10 * time.Second}
}

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
		{"check off in an old NetworkManager", policy(), network(unknown, global, false), "online", 0},
		{"check off and no network", policy(), network(unknown, disconnected, false), "offline", leavingGrace},
		{"stopping", policy(), network(unknown, site, false), "offline", leavingGrace},
		{"starting up", policy(), network(unknown, connecting, true), "offline", gone},
		{"starting up, the link not found yet", policy(), network(none, disconnected, true), "offline", gone},
		{"starting up, no check has come through", policy(), network(limited, connecting, true), "offline", gone},
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

func TestACablePulledCountsAtOnceUnlessNothingWasCheckedYet(t *testing.T) {
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
	// So a restart was seen to end on Wi-Fi: Limited, None, and then State before Connectivity.
	limited := network(nm.NmConnectivityLimited, nm.NmStateConnectedSite, false)
	limited.Owner = ":1.2"
	read(Snapshot{networkManager: limited})
	if got := read(Snapshot{networkManager: pulled}); got.Grace != policy().LimitedGrace {
		t.Errorf("after limited connectivity, before the first check: %+v", got)
	}
}

func TestInternetGivesNetworkManagersOwnNames(t *testing.T) {
	got := internet(policy())(Snapshot{networkManager: network(nm.NmConnectivityLimited, nm.NmStateConnectedSite, true)})
	if want := "Connectivity=Limited State=ConnectedSite Startup=true"; got.Reason != want {
		t.Errorf("reason %q, want %q", got.Reason, want)
	}
}

func TestLid(t *testing.T) {
	type values map[string]any
	silent := func(v values) Facts {
		return Facts{Source: logind, Owner: ":1.1", values: v, silent: []string{"LidClosed"}}
	}
	polled := silent(values{"LidClosed": true})
	polled.polled = []string{"LidClosed"}
	lidOf := func(closed, present bool) Facts {
		return Facts{Source: upower, values: values{"LidIsClosed": closed, "LidIsPresent": present}}
	}
	for _, test := range []struct {
		name          string
		logind, power Facts
		position      string
		source        string
		needs         map[string]Need
	}{
		{"signalled", Facts{values: values{"LidClosed": true}}, Facts{}, "closed", "from logind", nil},
		{"signalled, open", Facts{values: values{"LidClosed": false}}, Facts{}, "open", "from logind", nil},
		{"not signalled, UPower not asked", silent(values{"LidClosed": true}), Facts{Source: upower, Problem: "UPower is not asked", Awaited: true}, Unknown, "", map[string]Need{upower: Watched}},
		{"not signalled, UPower knows", silent(values{"LidClosed": true}), lidOf(false, true), "open", "from UPower", map[string]Need{upower: Watched}},
		{"not signalled, UPower cannot be had", silent(values{"LidClosed": true}), Facts{Source: upower, Problem: "UPower cannot be started"}, Unknown, "", map[string]Need{upower: Watched, logind: PolledOften}},
		{"polled", polled, Facts{Source: upower, Problem: "UPower cannot be started"}, "closed", "by polling logind every 2s", map[string]Need{upower: Watched, logind: PolledOften}},
		{"polled, UPower sees no lid", polled, lidOf(false, false), "closed", "by polling logind every 2s", map[string]Need{upower: Watched, logind: PolledOften}},
		{"before sleep logind knows best", silent(values{"LidClosed": true, "PreparingForSleep": true}), lidOf(false, true), "closed", "from UPower", map[string]Need{upower: Watched}},
		{"away", Facts{Source: logind, Problem: "logind is not running"}, Facts{}, Unknown, "", nil},
		{"says nothing", Facts{Source: logind}, Facts{}, Unknown, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := lid(policy(), Snapshot{logind: test.logind, upower: test.power})
			if got.Position != test.position || got.Origin.Source != test.source || !maps.Equal(got.Needs, test.needs) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestSleep(t *testing.T) {
	for _, test := range []struct {
		name     string
		facts    Facts
		position string
		urgent   bool
	}{
		{"awake", Facts{values: map[string]any{"PreparingForSleep": false}}, "awake", true},
		{"about to sleep", Facts{values: map[string]any{"PreparingForSleep": true}}, "asleep", true},
		{"away", Facts{Problem: "logind is not running"}, "awake", false},
	} {
		if got := sleep(policy(), Snapshot{logind: test.facts}); got.Position != test.position || got.Urgent != test.urgent {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

func TestTargetsOfAPosition(t *testing.T) {
	internet := Table()[0]
	for _, test := range []struct {
		position                string
		online, offline, portal bool
	}{
		{"online", true, false, false},
		{"offline", false, true, false},
		{"portal", false, true, true},
		{Unknown, false, false, false},
	} {
		got := internet.Targets(test.position)
		if len(got) != 3 || got["internet-online.target"] != test.online ||
			got["internet-offline.target"] != test.offline || got["internet-portal.target"] != test.portal {
			t.Errorf("%q: %v", test.position, got)
		}
		maps.DeleteFunc(got, func(_ string, active bool) bool { return !active })
		found, ok := internet.PositionOf(slices.Collect(maps.Keys(got)))
		if ok != (test.position != Unknown) || found != test.position {
			t.Errorf("the targets of %q were found to be those of %q (%t)", test.position, found, ok)
		}
	}
}

func TestChosenSwitchesHaveOnlyTheirOwnTargetsPatternsAndSources(t *testing.T) {
	all := Table()
	if got := all.Choose(nil); !slices.Equal(got.Names(), all.Names()) {
		t.Errorf("without a choice: %v", got.Names())
	}
	some := all.Choose([]string{"connection", "sleep", "internet", "vpn"})
	for what, test := range map[string][2][]string{
		"names":    {some.Names(), {"internet", "sleep", "vpn", "connection"}},
		"targets":  {some.Targets(), {"internet-online.target", "internet-offline.target", "internet-portal.target", "sleep.target", "vpn-up.target", "vpn-down.target"}},
		"patterns": {some.Patterns(), {"connection@*.target"}},
		"yielding": {all.Yielding(), {"unlock.target", "lock.target"}},
	} {
		if !slices.Equal(test[0], test[1]) {
			t.Errorf("%s: got %v, want %v", what, test[0], test[1])
		}
	}
	var sources []string
	for _, source := range some.Sources() {
		sources = append(sources, source.ID)
	}
	if !slices.Equal(sources, []string{networkManager, logind, connections}) {
		t.Errorf("sources: got %v", sources)
	}
	if _, exists := some.Named("lid"); exists {
		t.Error("the lid was not chosen")
	}
}

func TestASwitchOwnsItsTargetsAlone(t *testing.T) {
	for target, want := range map[string]string{
		"lid-closed.target":          "lid",
		"connection@home.target":     "connection",
		"connection@.target":         "",
		"internet-portal.target":     "internet",
		"graphical-session.target":   "",
		"connection@a@b\\x20.target": "connection",
	} {
		for _, s := range Table() {
			if got := s.Owns(target); got != (s.Name == want) {
				t.Errorf("%s owns %s: %t", s.Name, target, got)
			}
		}
	}
}
