package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/chaos"
)

// The flags of TestChaos. Another test also uses its seeds.
var (
	chaosFaults  = flag.Int("faults", 100, "how many faults TestChaos lets happen by each seed")
	chaosSeed    = flag.Int64("seed", 0, "the seed of TestChaos and TestTheRulesOfTheLock, instead of their fixed seeds")
	chaosFresh   = flag.Int("fresh", 0, "how many fresh seeds TestChaos and TestTheRulesOfTheLock use instead of their fixed ones")
	chaosKinds   = flag.String("kinds", "", "the kinds of fault that TestChaos draws from, a regular expression")
	chaosEndings = flag.Bool("endings", false, "whether TestChaosOfEnds lets the last session end in every way")
	chaosReplay  = flag.String("replay", "", "the faults of TestChaos, as it printed them, instead of drawn ones")
	chaosShrink  = flag.Duration("shrink", 4*time.Minute, "for how long at most TestChaos looks for less that fails as well")
)

func TestChaos(t *testing.T) {
	if *chaosReplay != "" {
		plan, err := chaos.Parse(*chaosReplay)
		if err != nil {
			t.Fatal(err)
		}
		unleash(t, plan, false)
		return
	}
	kinds, err := regexp.Compile(*chaosKinds)
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range seeds(chaos.FixedSeeds()...) {
		// It does not use the test's log, which is lost if the test is cut off or
		// passes.
		fmt.Printf("TestChaos: -faults=%d -seed=%d -kinds='%s'\n", *chaosFaults, seed, kinds)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			plan := chaos.Draw(seed, *chaosFaults, kinds)
			if plan == nil {
				t.Fatal("no kind of fault matches -kinds")
			}
			unleash(t, plan, true)
		})
	}
}

// seeds returns fixed seeds unless the flags say otherwise.
func seeds(fixed ...int64) []int64 {
	switch {
	case *chaosSeed != 0:
		return []int64{*chaosSeed}
	case *chaosFresh > 0:
		var fresh []int64
		for range *chaosFresh {
			fresh = append(fresh, 1+rand.Int64N(1e9))
		}
		return fresh
	}
	return fixed
}

// TestChaosOfEnds takes long, so it runs only on request.
func TestChaosOfEnds(t *testing.T) {
	if !*chaosEndings {
		t.Skip("played only on request: -endings")
	}
	plans := chaos.Endings()
	for _, befalls := range slices.Sorted(maps.Keys(plans)) {
		t.Run(befalls, func(t *testing.T) { unleash(t, plans[befalls], true) })
	}
}

// unleash carries out a plan and reports the outcome.
func unleash(t *testing.T, plan chaos.Plan, shrink bool) {
	t.Helper()
	ctx := context.Background() // the plan bounds itself
	summary, err := chaos.Run(ctx, program, plan)
	fmt.Printf("TestChaos: %s\n", summary)
	var failure *chaos.Failure
	if !errors.As(err, &failure) {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("round %d: %v", len(failure.Plan), failure.Cause)
	for _, line := range failure.Trace {
		t.Log(line)
	}
	for _, event := range failure.Events {
		t.Log(event)
	}
	t.Log(failure.Journal)
	t.Logf("all faults up to there: %s", failure.Plan)
	if shrink && *chaosShrink > 0 {
		t.Logf("looking for less that fails as well, for at most %v", *chaosShrink)
		failure.Plan = chaos.Shrink(ctx, program, failure.Plan, *chaosShrink)
	}
	t.Fatalf("to do it again: go test ./integration -run Chaos -count=1 -replay='%s'", failure.Plan)
}
