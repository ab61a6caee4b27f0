package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/chaos"
)

// The flags of TestChaos.
var (
	chaosFaults = flag.Int("faults", 100, "how many faults TestChaos lets happen")
	chaosSeed   = flag.Int64("seed", 0, "what TestChaos draws its faults by; 0 for a fixed seed and then a fresh one")
	chaosReplay = flag.String("replay", "", "the faults of TestChaos, as it printed them, instead of drawn ones")
	chaosShrink = flag.Duration("shrink", 4*time.Minute, "for how long at most TestChaos looks for less that fails as well")
)

// fixedSeed draws most kinds of faults within a hundred, and what moves each of the switches.
const fixedSeed = 61409

func TestChaos(t *testing.T) {
	if *chaosReplay != "" {
		plan, err := chaos.Parse(*chaosReplay)
		if err != nil {
			t.Fatal(err)
		}
		unleash(t, plan, false)
		return
	}
	seeds := []int64{*chaosSeed}
	if *chaosSeed == 0 {
		seeds = []int64{fixedSeed, time.Now().UnixNano() % 1e9}
	}
	for _, seed := range seeds {
		// Not by the test's log, which is lost where the test is cut off or passes.
		fmt.Printf("TestChaos: -faults=%d -seed=%d\n", *chaosFaults, seed)
		unleash(t, chaos.Draw(seed, *chaosFaults), true)
	}
}

// unleash lets a plan happen and tells what came of it.
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
