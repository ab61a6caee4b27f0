package systemdctl

import "slices"

// yieldToEachOther makes each of the targets give way if something else starts
// another of them. Each target comes with the names of others that start it.
func (r *Reconciler) yieldToEachOther(group map[string][]string) {
	for name, starters := range group {
		u := r.unit(name)
		u.starters = starters
		for rival := range group {
			u.rivals = append(u.rivals, r.unit(rival))
		}
	}
}

// yields reports whether the target gives way to others. It is among its own
// rivals.
func (u *unit) yields() bool { return len(u.rivals) > 0 }

// yield handles a yielding target that something else has moved, and reports
// whether to leave it where it is. A target that was started stays active, and
// gives way if a rival is active. A target that was only stopped is started again,
// once it is certain that no rival is about to start.
func (r *Reconciler) yield(u *unit) bool {
	isRivalActive := slices.ContainsFunc(u.rivals, (*unit).isActive)
	switch {
	case isRivalActive:
		u.wanted, r.moved.Yielding = u.isActive(), true
		return true
	case slices.ContainsFunc(u.rivals, (*unit).isQueued), r.isServiceEnding(u):
		return true
	case r.toldAt >= u.changed:
		return false
	case r.told == r.listing:
		r.list() // signals report one target after the other
	}
	return true
}
