package observers

import nm "github.com/Wifx/gonetworkmanager/v2"

// metered reads whether data costs money. Without a network nothing can be said.
func metered(policy Policy, snapshot Snapshot) Reading {
	facts := snapshot[networkManager]
	if facts.Problem != "" {
		return Reading{Reason: facts.Problem, Grace: policy.GoneGrace}
	}
	m, known := facts.Uint32("Metered")
	s, knowsState := facts.Uint32("State")
	if !known || !knowsState {
		return Reading{Reason: "NetworkManager does not report Metered and State", Grace: policy.GoneGrace}
	}
	value, state := nm.NmMetered(m), nm.NmState(s)
	reading := Reading{Reason: "Metered=" + meteredWord(value)}
	switch {
	case state < nm.NmStateConnectedLocal:
		reading.Reason += " State=" + stateWord(state)
	case value == nm.NmMeteredYes || value == nm.NmMeteredGuessYes:
		reading.Position = "metered"
	case value == nm.NmMeteredNo || value == nm.NmMeteredGuessNo:
		reading.Position = "unmetered"
	}
	if startup, _ := facts.Bool("Startup"); startup {
		// A restarted NetworkManager finds its networks one by one.
		reading.Reason += " Startup=true"
		reading.Grace = policy.GoneGrace
	}
	return reading
}
