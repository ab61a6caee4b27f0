package observers

import nm "github.com/Wifx/gonetworkmanager/v2"

// metered returns a reader of the metered switch. Without a network its position
// is unknown.
func metered(policy Policy) Reader {
	var past memory
	return func(snapshot Snapshot) Reading {
		facts := snapshot[networkManager]
		if facts.Problem == "" {
			past.note(facts)
		}
		reading := readMetered(policy, facts, &past)
		if reading.Position != Unknown {
			past.note(facts, "metered")
		}
		return reading
	}
}

func readMetered(policy Policy, facts Facts, past *memory) Reading {
	if facts.Problem != "" {
		return Reading{Reason: facts.Problem, Grace: policy.GoneGrace}
	}
	m, known := facts.Uint32("Metered")
	s, knowsState := facts.Uint32("State")
	if !known || !knowsState {
		return Reading{Reason: "NetworkManager does not report Metered and State", Grace: policy.GoneGrace}
	}
	value, state := nm.NmMetered(m), nm.NmState(s)
	reason := "Metered=" + meteredWord(value)
	switch {
	case state < nm.NmStateConnectedLocal:
		reason += " State=" + stateWord(state)
	case value == nm.NmMeteredYes || value == nm.NmMeteredGuessYes:
		return Reading{Position: "metered", Reason: whileStarting(facts, reason)}
	case value == nm.NmMeteredNo || value == nm.NmMeteredGuessNo:
		return Reading{Position: "unmetered", Reason: whileStarting(facts, reason)}
	}
	// A restarted NetworkManager finds its networks one by one.
	return Reading{Reason: whileStarting(facts, reason), Grace: past.grace(policy, facts, "metered"), GraceOnlyFrom: AnyPosition}
}
