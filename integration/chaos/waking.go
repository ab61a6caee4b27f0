package chaos

import "slices"

// possibleAwake returns the positions that sleep may be in while the machine is awake. Nothing but the
// bridge knows whether the machine has woken up, and its targets keep that for the next bridge.
func (w *World) possibleAwake(sleep aspect) (possible []string) {
	hasSlept := slices.Contains(w.round.positions["sleep"], "asleep")
	// A bridge may end between the stop of sleep.target and the start of wake.target.
	isLost := w.round.reborn && (hasSlept || w.wakeful == "asleep")
	switch {
	case w.isHandled(sleep), isLost, w.wakeful == "awake" && hasSlept: // too short a sleep need not be seen
		possible = []string{"awake", "woken"}
	case w.wakeful == "awake":
		possible = []string{"awake"}
	default:
		possible = []string{"woken"}
	}
	if w.logind.unheard {
		possible = append(possible, "asleep")
	}
	return possible
}

// isHandled reports whether the user has masked or moved a target of a switch.
func (w *World) isHandled(a aspect) bool {
	return slices.ContainsFunc(a.all, func(target string) bool { return w.masked[target] || w.round.moved[target] > 0 })
}
