package doctor

import (
	"fmt"
	"slices"
)

// unstarted finds an active target of ours that wants the unit but has not started it. A
// newly enabled unit starts only with the next start of its target.
func (c unitCheck) unstarted() []Finding {
	if c.isOnce() || !c.untried() || !c.isFree() || c.is("RefuseManualStart") {
		return nil
	}
	for _, target := range c.wanters(c.name) {
		if !c.reported[target] && c.user.unit(target).active() {
			c.change.starts = true
			return []Finding{{
				What: fmt.Sprintf("%s: %s is active and wants it, but it was never started", c.name, target),
				Why:  "it was enabled while the target was already active; it starts with the next start of the target",
			}}
		}
	}
	return nil
}

// untried reports whether the manager has never checked the unit's conditions and has no
// job to do so.
func (u unit) untried() bool {
	job := property[[]any](u.properties, "Job")
	return u.text("ActiveState") == "inactive" && len(job) > 0 && job[0] == uint32(0) &&
		property[uint64](u.properties, "ConditionTimestampMonotonic") == 0
}

// isFree reports whether no requirement or conflict keeps the unit from starting now, nor a
// missing unit that it would start.
func (c unitCheck) isFree() bool {
	if slices.ContainsFunc(c.texts("Triggers"), func(other string) bool { return c.user.unit(other).load() == "not-found" }) {
		return false
	}
	for _, key := range []string{"Requisite", "BindsTo", "Requires"} {
		if slices.ContainsFunc(c.texts(key), func(other string) bool { return !c.user.unit(other).active() }) {
			return false
		}
	}
	return !slices.ContainsFunc(c.texts("Conflicts"), func(other string) bool { return c.user.unit(other).active() })
}
