package chaos

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Shrink looks for a smaller plan that also fails, until the time is up. It returns the smallest
// plan that it has seen fail, at worst the given one.
func Shrink(ctx context.Context, program string, plan Plan, limit time.Duration) Plan {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	fails := func(smaller Plan) bool {
		_, err := Run(ctx, program, smaller)
		var failure *Failure
		return ctx.Err() == nil && errors.As(err, &failure)
	}
	for last := 1; last < len(plan); last *= 2 {
		if smaller := plan[len(plan)-last:]; fails(smaller) {
			plan = smaller
			break
		}
	}
	for round := 0; round < len(plan); round++ {
		for step := 0; round < len(plan) && step < len(plan[round]); {
			smaller := plan.without(round, step)
			if ctx.Err() != nil {
				return plan
			}
			if len(smaller) > 0 && fails(smaller) {
				plan = smaller
			} else {
				step++
			}
		}
	}
	return plan
}

// without returns the plan with one fault less.
func (p Plan) without(round, step int) Plan {
	smaller := slices.Clone(p)
	smaller[round] = slices.Delete(slices.Clone(p[round]), step, step+1)
	if len(smaller[round]) == 0 {
		smaller = slices.Delete(smaller, round, round+1)
	}
	return smaller
}
