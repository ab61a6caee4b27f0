package systemdctl

import "slices"

// yieldToEachOther makes each of some targets give way where something else starts
// another one of them.
func (r *Reconciler) yieldToEachOther(names []string) {
	for _, name := range names {
		u := r.unit(name)
		for _, rival := range names {
			u.rivals = append(u.rivals, r.unit(rival))
		}
	}
}

// yields reports whether the target gives way to others. It is a rival of its own.
func (u *unit) yields() bool { return len(u.rivals) > 0 }

// yield handles a yielding target that something else has moved, and reports
// whether to leave it where it is. It stays active where it was started, and gives
// way where a rival is active. Where it was just stopped, it is moved back, once it
// is certain that no rival is on its way.
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
		r.list() // signals tell of one target after the other
	}
	return true
}
