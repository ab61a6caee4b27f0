package chaos

import (
	"slices"
	"testing"
)

func TestOnlyTheBridgeKnowsWhetherTheMachineHasWokenUp(t *testing.T) {
	sleep, _ := aspectOf("wake.target")
	for name, test := range map[string]struct {
		wakeful string
		went    []string
		reborn  bool
		moved   string
		unheard bool
		want    []string
	}{
		"at login":                       {"awake", []string{"awake"}, false, "", false, []string{"awake"}},
		"a new bridge at login":          {"awake", []string{"awake"}, true, "", false, []string{"awake"}},
		"a sleep ends":                   {"asleep", []string{"asleep", "woken"}, false, "", false, []string{"woken"}},
		"another one begins and ends":    {"woken", []string{"woken", "asleep", "woken"}, false, "", false, []string{"woken"}},
		"the first one begins and ends":  {"awake", []string{"awake", "asleep", "woken"}, false, "", false, []string{"awake", "woken"}},
		"the bridge is another one":      {"woken", []string{"woken"}, true, "", false, []string{"woken"}},
		"and a sleep ends":               {"asleep", []string{"asleep", "woken"}, true, "", false, []string{"awake", "woken"}},
		"the user moves its target":      {"woken", []string{"woken"}, false, "wake.target", false, []string{"awake", "woken"}},
		"the user moves another target":  {"woken", []string{"woken"}, false, "lock.target", false, []string{"woken"}},
		"the sleep ends without a word":  {"asleep", []string{"asleep", "woken"}, false, "", true, []string{"woken", "asleep"}},
		"nobody has heard of it so far":  {"asleep", []string{"woken"}, false, "", true, []string{"woken", "asleep"}},
		"a new bridge hears of it first": {"asleep", []string{"woken"}, true, "", false, []string{"awake", "woken"}},
	} {
		w := &World{wakeful: test.wakeful, logind: logind{present: true, unheard: test.unheard}, round: newRound()}
		w.round.positions["sleep"], w.round.reborn = test.went, test.reborn
		if test.moved != "" {
			w.round.moved[test.moved]++
		}
		if got := w.possible(sleep); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, not %q", name, got, test.want)
		}
	}
}
