package chaos

import (
	"os/exec"
	"reflect"
	"regexp"
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

func TestTheFixedSeedsDrawEveryFault(t *testing.T) {
	drawn := map[string]bool{}
	for _, seed := range FixedSeeds() {
		for _, round := range Draw(seed, 100, every) {
			for _, step := range round {
				drawn[step.Fault] = true
			}
		}
	}
	for _, f := range faults() {
		if !drawn[f.name] {
			t.Errorf("%s is never drawn", f.name)
		}
	}
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
