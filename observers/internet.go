package observers

import (
	"fmt"
	"time"

	nm "github.com/Wifx/gonetworkmanager/v2"
)

const (
	// leavingGrace is how long to wait for NetworkManager's name to go once its
	// Connectivity has become Unknown, which happens when it stops. The name was seen
	// to go within 200 ms.
	leavingGrace = time.Second
	// lookingGrace is how long to wait until it is known what the devices reach. That
	// takes milliseconds, or up to a second on a busy machine.
	lookingGrace = 2 * time.Second
)

// internet returns a reader of the internet switch, which remembers whether this
// NetworkManager has reached the internet, or a portal, yet.
func internet(policy Policy) Reader {
	var past memory
	return func(snapshot Snapshot) Reading {
		facts, links := snapshot[networkManager], snapshot[routes]
		if facts.Problem == "" {
			past.note(facts)
		}
		reading := readInternet(policy, facts, links, &past)
		if reading.Position != "offline" {
			past.note(facts, "internet")
		}
		return reading
	}
}

const (
	// connecting says that a link is coming up.
	connecting = "a link that comes up"
	// unchecked says that the first check of such a link may be still to come.
	unchecked = "a link that was not checked"
	// unreached says that Connectivity was below Full at some time since such a link began to
	// come up.
	unreached = "no internet at some time since that link"
)

// noteLink remembers whether a link has come up whose first check may be still to come. One
// that is plugged in beside another takes over the default route at once, and NetworkManager
// may report Connectivity None until the check has succeeded (seen with 1.42 and 1.52). If
// it does not, the next None counts as a doubt, whenever it comes.
func (m *memory) noteLink(connectivity nm.NmConnectivity, state nm.NmState) {
	if state == nm.NmStateConnecting && !m.had[connecting] {
		m.had[unchecked], m.had[unreached] = true, false
	}
	m.had[connecting] = state == nm.NmStateConnecting
	switch {
	case state <= nm.NmStateDisconnecting, connectivity == nm.NmConnectivityFull && m.had[unreached]:
		m.had[unchecked] = false
	case connectivity != nm.NmConnectivityFull:
		m.had[unreached] = true
	}
}

func readInternet(policy Policy, facts, links Facts, past *memory) Reading {
	if facts.Problem != "" {
		// A restarting NetworkManager keeps its links up: this is no outage yet.
		return Reading{Position: "offline", Reason: facts.Problem, Grace: policy.GoneGrace}
	}
	c, knowsConnectivity := facts.Uint32("Connectivity")
	s, knowsState := facts.Uint32("State")
	if !knowsConnectivity || !knowsState {
		return Reading{Position: "offline", Reason: "NetworkManager does not report Connectivity and State", Grace: policy.GoneGrace}
	}
	connectivity, state := nm.NmConnectivity(c), nm.NmState(s)
	past.noteLink(connectivity, state)
	reason := fmt.Sprintf("Connectivity=%s State=%s", connectivityWord(connectivity), stateWord(state))
	reading := Reading{Position: "offline", Reason: whileStarting(facts, reason)}
	switch {
	case state == nm.NmStateAsleep:
		// Networking is off; Connectivity follows some milliseconds later.
		return reading
	case connectivity == nm.NmConnectivityFull:
		reading.Position = "online"
		return reading
	case connectivity == nm.NmConnectivityUnknown && state == nm.NmStateConnectedGlobal:
		// The connectivity check is off and NetworkManager is too old to guess.
		reading.Position = "online"
		return reading
	}

	reading.Needs = map[string]Need{routes: Watched}
	if best := bestReach(links); isBetter(best.connectivity, connectivity) {
		connectivity = best.connectivity
		reading.Reason += " " + best.reason
	}
	isEnough := false
	if connectivity == nm.NmConnectivityLimited && policy.OnlineWhen == Limited {
		// State and the active connections' Default outlast the last default route.
		primary, _ := facts.Text("PrimaryConnectionType")
		if isEnough = primary != ""; !isEnough {
			reading.Reason += ", no default route"
		}
	}
	grace := past.grace(policy, facts, "internet")
	switch {
	case connectivity == nm.NmConnectivityFull || isEnough:
		reading.Position = "online"
		return reading
	case connectivity == nm.NmConnectivityPortal:
		reading.Position = "portal"
	case grace > 0:
		// A restarted NetworkManager passes through Unknown, None and Limited, even
		// with a link that never went away.
		reading.Grace = grace
	case connectivity == nm.NmConnectivityNone && state >= nm.NmStateConnectedLocal && !past.had["internet"]:
		// Startup does not wait for the result of the first check.
		reading.Grace = policy.LimitedGrace
	case connectivity == nm.NmConnectivityLimited && state > nm.NmStateDisconnecting:
		// One failed probe causes it, and every start passes through it.
		reading.GraceOnlyFrom, reading.Grace = AnyPosition, policy.LimitedGrace
	case connectivity == nm.NmConnectivityNone && (mayRoam(links) || past.had[unchecked] && state > nm.NmStateConnecting):
		// NetworkManager keeps a connection without an access point for 15 or 30 s
		// (link_timeout_id in nm-device-wifi.c, 1.42 to 1.58).
		reading.GraceOnlyFrom, reading.Grace = AnyPosition, policy.LimitedGrace
	case connectivity == nm.NmConnectivityUnknown:
		reading.GraceOnlyFrom, reading.Grace = AnyPosition, leavingGrace
	}
	if links.Owner != facts.Owner || !links.Satisfies(Watched) {
		reading.Grace, reading.GraceOnlyFrom = max(reading.Grace, lookingGrace), ""
	}
	return reading
}
