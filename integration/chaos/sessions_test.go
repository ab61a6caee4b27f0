package chaos

import "testing"

// whileLocked returns a world whose screens, with the numbers 1 to count, have
// all said that they are locked.
func whileLocked(count int) *World {
	w := &World{lock: "unlocked", round: newRound(), unsure: map[string]bool{}}
	for number := range count {
		w.begins(number+1, graphical)
	}
	for _, one := range w.sessions.all {
		w.says(one, true)
	}
	w.round = newRound()
	return w
}

func TestTheLockFollowsEverySession(t *testing.T) {
	all := func(w *World, number int) *session { return w.sessions.all[number-1] }
	for name, test := range map[string]struct {
		do   func(*World)
		want string
	}{
		"one of two is unlocked":          {func(w *World) { w.says(all(w, 1), false) }, "locked"},
		"both are unlocked":               {func(w *World) { w.says(all(w, 1), false); w.says(all(w, 2), false) }, "unlocked"},
		"one ends":                        {func(w *World) { w.ends(all(w, 1)) }, "locked"},
		"both end":                        {func(w *World) { w.ends(all(w, 2)); w.ends(all(w, 1)) }, "locked"},
		"one is unlocked, the other ends": {func(w *World) { w.says(all(w, 1), false); w.ends(all(w, 2)) }, "unlocked"},
		"and a sleep in between":          {func(w *World) { w.says(all(w, 1), false); w.pullsLock(); w.ends(all(w, 2)) }, "locked"},
		"one ends, the other is unlocked": {func(w *World) { w.ends(all(w, 1)); w.says(all(w, 1), false) }, "unlocked"},
		"and in a sleep, logind says nonsense": {func(w *World) {
			w.logind.present, w.logind.asleep = true, true
			w.says(all(w, 1), false)
			w.deaf()
			w.ends(all(w, 2))
		}, "perhaps unlocked"},
		"another begins": {func(w *World) { w.begins(3, graphical) }, "locked"},
		"a login by SSH is unlocked": {func(w *World) {
			w.ends(all(w, 1))
			w.begins(3, ssh)
			w.says(all(w, 2), false)
		}, "locked"},
	} {
		w := whileLocked(2)
		test.do(w)
		got := w.lock
		if w.round.vague["lock"] {
			got = "perhaps " + got
		}
		if got != test.want {
			t.Errorf("%s: %s, not %s", name, got, test.want)
		}
	}
}
