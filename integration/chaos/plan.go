// Package chaos lets faults happen to a sandbox with the bridge in it, and compares what the user
// manager did with a model that shares no code with the bridge.
//
// A run goes in rounds: some faults at random moments, then quiet, and then everything must be as
// the model says. The next round starts with whatever the faults left behind.
package chaos

import (
	"fmt"
	"maps"
	"math/rand"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Step is one fault.
type Step struct {
	// After is the time since the step before.
	After time.Duration
	Fault string
	// Arg says how, if there are several ways.
	Arg string
}

// Plan is the faults of each round.
type Plan [][]Step

// String returns a plan in the form that Parse reads, such as
// "120ms:unplug,0s:bridge-freeze=1s/40ms:plug".
func (p Plan) String() string {
	var rounds []string
	for _, round := range p {
		var steps []string
		for _, step := range round {
			steps = append(steps, step.String())
		}
		rounds = append(rounds, strings.Join(steps, ","))
	}
	return strings.Join(rounds, "/")
}

func (s Step) String() string {
	text := s.After.String() + ":" + s.Fault
	if s.Arg != "" {
		text += "=" + s.Arg
	}
	return text
}

// Faults returns how many faults there are in a plan.
func (p Plan) Faults() int {
	count := 0
	for _, round := range p {
		count += len(round)
	}
	return count
}

// Parse reads a plan as String writes it.
func Parse(text string) (Plan, error) {
	known := map[string]bool{}
	for _, f := range faults() {
		known[f.name] = true
	}
	var plan Plan
	for _, round := range strings.Split(text, "/") {
		var steps []Step
		for _, words := range strings.Split(round, ",") {
			after, fault, found := strings.Cut(words, ":")
			if !found {
				return nil, fmt.Errorf("%q is not a fault: write delay:name or delay:name=argument", words)
			}
			var step Step
			var err error
			if step.After, err = time.ParseDuration(after); err != nil {
				return nil, fmt.Errorf("%q: the delay: %w", words, err)
			}
			step.Fault, step.Arg, _ = strings.Cut(fault, "=")
			if !known[step.Fault] {
				return nil, fmt.Errorf("%q: there is no fault %q", words, step.Fault)
			}
			steps = append(steps, step)
		}
		plan = append(plan, steps)
	}
	return plan, nil
}

// FixedSeeds draw every kind of fault within a hundred faults each. They also leave rounds asleep,
// woken, idle and about to shut down, and replace the bridge while woken.
func FixedSeeds() []int64 { return []int64{178174, 107398} }

// mostInARound is the most faults that a round has.
const mostInARound = 6

// Draw returns a plan with count faults, of the kinds whose name matches. The same seed gives the
// same plan. There is none if no kind matches.
func Draw(seed int64, count int, kinds *regexp.Regexp) Plan {
	random := rand.New(rand.NewSource(seed))
	var urn []fault
	for _, f := range faults() {
		for range f.weight {
			if kinds.MatchString(f.name) {
				urn = append(urn, f)
			}
		}
	}
	var plan Plan
	if len(urn) == 0 {
		return plan
	}
	for count > 0 {
		size := min(1+random.Intn(mostInARound), count)
		count -= size
		round := make([]Step, size)
		for i := range round {
			f := urn[random.Intn(len(urn))]
			round[i] = Step{After: drawPause(random), Fault: f.name}
			if f.draw != nil {
				round[i].Arg = f.draw(random)
			}
		}
		plan = append(plan, round)
	}
	return plan
}

// drawPause returns a pause between two faults: often none, sometimes one that is long enough for
// things to settle.
func drawPause(random *rand.Rand) time.Duration {
	switch random.Intn(10) {
	case 0, 1:
		return 0
	case 2:
		return drawUpTo(random, 1500*time.Millisecond)
	}
	return drawUpTo(random, 300*time.Millisecond)
}

func drawUpTo(random *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(random.Int63n(int64(most))).Round(time.Millisecond)
}

// drawStop returns how long a process is stopped: 1 to 20 s, seldom more than 2.
func drawStop(random *rand.Rand) string {
	most := 2
	switch random.Intn(30) {
	case 0:
		most = 20
	case 1, 2, 3:
		most = 5
	}
	return (time.Second + drawUpTo(random, time.Duration(most-1)*time.Second)).String()
}

// drawGap returns how long something is away.
func drawGap(random *rand.Rand) string {
	if random.Intn(5) == 0 {
		return drawUpTo(random, 4*time.Second).String()
	}
	return drawUpTo(random, time.Second).String()
}

// drawFlap returns how often and how fast something goes back and forth, as in "8x50ms". It
// is either faster than the bridge's damper lets through, which is three changes in ten
// seconds, or slower than the damper's 2 s of rest.
func drawFlap(random *rand.Rand) string {
	if random.Intn(6) == 0 {
		return fmt.Sprintf("%dx%v", 2+random.Intn(2), 2100*time.Millisecond+drawUpTo(random, time.Second))
	}
	return fmt.Sprintf("%dx%v", 4+random.Intn(24), 5*time.Millisecond+drawUpTo(random, 200*time.Millisecond))
}

// drawFewFlaps returns fewer changes than systemd lets units start, because the lock is not
// damped.
func drawFewFlaps(random *rand.Rand) string {
	return fmt.Sprintf("%dx%v", 2+random.Intn(3), 5*time.Millisecond+drawUpTo(random, 200*time.Millisecond))
}

// drawRename returns a profile and the instance of its new name, as in "a=home".
func drawRename(random *rand.Rand) string {
	return drawOf(append(slices.Sorted(maps.Keys(spares())), home, home, second)...)(random) + "=" + drawOf(instances()...)(random)
}

func drawOf(choices ...string) func(*rand.Rand) string {
	return func(random *rand.Rand) string { return choices[random.Intn(len(choices))] }
}
