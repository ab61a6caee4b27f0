package observers

import (
	"fmt"
	"time"

	nm "github.com/Wifx/gonetworkmanager/v2"
)

// leavingGrace is how long to wait for NetworkManager's name to go once its
// Connectivity has become Unknown, which happens when it stops. The name was seen
// to go within 200 ms.
const leavingGrace = time.Second

// internet returns a reader of the internet switch, which remembers whether this
// NetworkManager has checked connectivity yet.
func internet(policy Policy) Reader {
	var first firstCheck
	return func(snapshot Snapshot) Reading {
		facts := snapshot[networkManager]
		first.note(facts)
		return readInternet(policy, facts, first.isDone)
	}
}

func readInternet(policy Policy, facts Facts, isChecked bool) Reading {
	if facts.Problem != "" {
		// A restarting NetworkManager keeps its links up: this is no outage yet.
		return Reading{Position: "offline", Reason: facts.Problem, Grace: policy.GoneGrace}
	}
	c, knowsConnectivity := facts.Uint32("Connectivity")
	s, knowsState := facts.Uint32("State")
	if !knowsConnectivity || !knowsState {
		return Reading{Position: "offline", Reason: "NetworkManager does not report Connectivity and State", Grace: policy.GoneGrace}
	}
	startup, _ := facts.Bool("Startup")
	connectivity, state := nm.NmConnectivity(c), nm.NmState(s)
	reading := Reading{Position: "offline", Reason: networkReason(connectivity, state, startup)}
	switch {
	case state == nm.NmStateAsleep:
		// Networking is off; Connectivity follows some milliseconds later.
	case connectivity == nm.NmConnectivityFull:
		reading.Position = "online"
	case connectivity == nm.NmConnectivityUnknown && state == nm.NmStateConnectedGlobal:
		// The connectivity check is off and NetworkManager is too old to guess.
		reading.Position = "online"
	case connectivity == nm.NmConnectivityPortal:
		reading.Position = "portal"
	case connectivity == nm.NmConnectivityLimited && state >= nm.NmStateConnectedLocal && policy.OnlineWhen == Limited:
		reading.Position = "online"
	case startup:
		// A restarted NetworkManager passes through Unknown, None and Limited, even
		// with a link that never went away.
		reading.Grace = policy.GoneGrace
	case connectivity == nm.NmConnectivityNone && state >= nm.NmStateConnectedLocal && !isChecked:
		// Startup does not wait for the result of the first check.
		reading.Grace = policy.LimitedGrace
	case connectivity == nm.NmConnectivityLimited && state > nm.NmStateDisconnecting:
		// One failed probe causes it, and every start passes through it.
		reading.GraceOnlyFrom, reading.Grace = "online", policy.LimitedGrace
	case connectivity == nm.NmConnectivityUnknown:
		reading.GraceOnlyFrom, reading.Grace = "online", leavingGrace
	}
	return reading
}

// firstCheck remembers whether a NetworkManager has finished a connectivity check
// since it was started.
type firstCheck struct {
	owner  string
	isDone bool
}

func (f *firstCheck) note(facts Facts) {
	c, isKnown := facts.Uint32("Connectivity")
	if !isKnown {
		return
	}
	if facts.Owner != f.owner {
		*f = firstCheck{owner: facts.Owner}
	}
	// Limited is no result: on Wi-Fi it also comes and goes before the first check.
	connectivity := nm.NmConnectivity(c)
	f.isDone = f.isDone || connectivity == nm.NmConnectivityFull || connectivity == nm.NmConnectivityPortal
}

func networkReason(connectivity nm.NmConnectivity, state nm.NmState, startup bool) string {
	reason := fmt.Sprintf("Connectivity=%s State=%s", connectivityWord(connectivity), stateWord(state))
	if startup {
		reason += " Startup=true"
	}
	return reason
}
