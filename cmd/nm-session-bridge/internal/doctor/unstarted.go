package doctor

import (
	"fmt"
	"slices"
)

// unstarted finds a unit that a target of ours has been wanting since it became
// active: an enabled unit starts with the next start of its target, not at once.
func (e unitCheck) unstarted() []Finding {
	if e.isOnce() || !e.untried() || !e.isFree() {
		return nil
	}
	for _, target := range e.wanters(e.name) {
		if !e.reported[target] && e.user.unit(target).active() {
			return []Finding{{
				What: fmt.Sprintf("%s: %s is active and wants it, but it was never started", e.name, target),
				Why:  "it was enabled when the target was active already; it starts when the target does so the next time",
				Mend: "systemctl --user start " + quoted(e.name),
			}}
		}
	}
	return nil
}

// untried reports whether the manager has not so much as looked at a unit's
// conditions, nor has a job to do so.
func (u unit) untried() bool {
	job := property[[]any](u.properties, "Job")
	return u.text("ActiveState") == "inactive" && len(job) > 0 && job[0] == uint32(0) &&
		property[uint64](u.properties, "ConditionTimestampMonotonic") == 0
}

// isFree reports whether nothing that is active now, or that is not, keeps the
// unit from starting.
func (e unitCheck) isFree() bool {
	for _, key := range []string{"Requisite", "BindsTo", "Requires"} {
		if slices.ContainsFunc(e.texts(key), func(other string) bool { return !e.user.unit(other).active() }) {
			return false
		}
	}
	return !slices.ContainsFunc(e.texts("Conflicts"), func(other string) bool { return e.user.unit(other).active() })
}
