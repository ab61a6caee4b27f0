package chaos

import (
	"cmp"
	"maps"
	"math/bits"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// every matches every kind of fault.
var every = regexp.MustCompile("")

func TestOnlyTheWantedKindsAreDrawn(t *testing.T) {
	plan := Draw(7, 50, regexp.MustCompile("^lock|^sleep$"))
	for _, round := range plan {
		for _, step := range round {
			if !strings.HasPrefix(step.Fault, "lock") && step.Fault != "sleep" {
				t.Errorf("%s is drawn", step)
			}
		}
	}
	if plan.Faults() != 50 || Draw(7, 50, regexp.MustCompile("earthquake")) != nil {
		t.Errorf("%d faults are drawn", plan.Faults())
	}
}

func TestASeedGivesTheSamePlanThatIsReadAsWritten(t *testing.T) {
	plan := Draw(7, 500, every)
	if !reflect.DeepEqual(plan, Draw(7, 500, every)) || reflect.DeepEqual(plan, Draw(8, 500, every)) {
		t.Error("the seed does not decide the plan")
	}
	if plan.Faults() != 500 {
		t.Errorf("%d faults were drawn", plan.Faults())
	}
	read, err := Parse(plan.String())
	if err != nil || !reflect.DeepEqual(read, plan) {
		t.Errorf("read as another plan: %v", err)
	}
}

// New kinds of fault change what each seed draws.
func TestTheFixedSeedsDrawEveryFault(t *testing.T) {
	places, drawn := map[string]int{}, kindSet{}
	for i, f := range faults() {
		places[f.name] = i
	}
	for _, seed := range FixedSeeds() {
		drawn = drawn.or(drawnBy(seed, places))
	}
	if drawn.size() < len(places) {
		t.Errorf("%d of %d kinds are drawn; these seeds draw all: %v", drawn.size(), len(places), seedsForAll(places))
	}
}

// kindSet holds kinds of fault by their places among all.
type kindSet [2]uint64

func (k kindSet) or(other kindSet) kindSet { return kindSet{k[0] | other[0], k[1] | other[1]} }

func (k kindSet) size() int { return bits.OnesCount64(k[0]) + bits.OnesCount64(k[1]) }

// drawnBy returns the kinds that a seed draws within a hundred faults.
func drawnBy(seed int64, places map[string]int) (drawn kindSet) {
	for _, round := range Draw(seed, 100, every) {
		for _, step := range round {
			drawn[places[step.Fault]/64] |= 1 << (places[step.Fault] % 64)
		}
	}
	return drawn
}

// seedsForAll looks for two seeds that draw every kind between them, among those that draw most.
func seedsForAll(places map[string]int) []int64 {
	const tried, kept = 20_000, 4_000
	drawn := map[int64]kindSet{}
	for seed := range int64(tried) {
		drawn[seed] = drawnBy(seed, places)
	}
	best := slices.SortedFunc(maps.Keys(drawn), func(a, b int64) int { return cmp.Or(drawn[b].size()-drawn[a].size(), int(a-b)) })
	for i, one := range best[:kept] {
		for _, other := range best[:i] {
			if drawn[one].or(drawn[other]).size() == len(places) {
				return []int64{other, one}
			}
		}
	}
	return nil
}

func TestEndingsAreOfKnownFaults(t *testing.T) {
	for _, plan := range Endings() {
		read, err := Parse(plan.String())
		if err != nil || !reflect.DeepEqual(read, plan) {
			t.Errorf("read as another plan: %v", err)
		}
	}
}

func TestWhatIsNoPlanIsRefused(t *testing.T) {
	for _, text := range []string{"", "unplug", "1ms:", "soon:unplug", "1ms:earthquake"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q is read as a plan", text)
		}
	}
}

func TestCauses(t *testing.T) {
	a, found := aspectOf("internet-offline.target")
	if !found {
		t.Fatal("the target has no switch")
	}
	for _, test := range []struct {
		positions []string
		active    bool
		want      int
	}{
		{[]string{"online"}, false, 0},
		{[]string{"offline"}, true, 0},
		{[]string{"offline"}, false, 1}, // as behind a mask
		{[]string{"offline", "portal", "offline"}, true, 0},
		{[]string{"online", "offline", "online", "portal"}, false, 2},
	} {
		if got := a.causes("internet-offline.target", test.positions, test.active); got != test.want {
			t.Errorf("%q, active %t: %d causes, not %d", test.positions, test.active, got, test.want)
		}
	}
}

func TestInstancesAreThoseOfSystemdsOwnTool(t *testing.T) {
	for _, p := range profileNames() {
		out, err := exec.Command("systemd-escape", "--", p.name).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != p.instance {
			t.Errorf("%q is %s, not %s (%v)", p.name, got, p.instance, err)
		}
	}
}

func TestWithoutLeavesTheOtherFaults(t *testing.T) {
	plan, err := Parse("0s:plug,1ms:unplug/2ms:sleep")
	if err != nil {
		t.Fatal(err)
	}
	for text, smaller := range map[string]Plan{
		"1ms:unplug/2ms:sleep":         plan.without(0, 0),
		"0s:plug,1ms:unplug":           plan.without(1, 0),
		"0s:plug/2ms:sleep":            plan.without(0, 1),
		"0s:plug,1ms:unplug/2ms:sleep": plan,
	} {
		if smaller.String() != text {
			t.Errorf("%s, not %s", smaller, text)
		}
	}
}
