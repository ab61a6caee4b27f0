package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Summary says what a run did.
type Summary struct {
	Rounds, Happened, Skipped int
	// Faults counts them by name.
	Faults map[string]int
	// Positions counts the rounds that ended in each position of each switch.
	Positions map[string]int
	// Starts counts the starts of units that the user manager reported. Corrections counts what the
	// bridge put right.
	Starts, Corrections int
	// Files, Threads and Memory (KiB) are the most that a settled bridge used.
	Files, Threads, Memory int
	Took                   time.Duration

	began time.Time
}

func (s Summary) String() string {
	return fmt.Sprintf("%d faults (%d could not happen when drawn) in %d rounds, %v; %d starts of units, %d corrections; "+
		"the bridge at rest had at most %d files, %d threads, %d KiB\nrounds ended with %s\nfaults: %s",
		s.Happened+s.Skipped, s.Skipped, s.Rounds, s.Took.Round(time.Second), s.Starts, s.Corrections,
		s.Files, s.Threads, s.Memory, tally(s.Positions), tally(s.Faults))
}

func tally(counts map[string]int) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(words, ", ")
}

// Failure is what a run found.
type Failure struct {
	// Plan is everything that had happened, ending with the round that went wrong.
	Plan  Plan
	Cause error
	// Trace describes the last round, Events holds what the user manager reported in it, and Journal
	// what was logged.
	Trace, Events []string
	Journal       string
}

func (f *Failure) Error() string { return f.Cause.Error() }

func (f *Failure) Unwrap() error { return f.Cause }

// Run carries out a plan in a new sandbox, with a program as the bridge. The error is a Failure if
// something is not as the model says.
func Run(ctx context.Context, program string, plan Plan) (summary Summary, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := enter(ctx, program)
	if err != nil {
		return Summary{}, err
	}
	defer func() { err = errors.Join(err, w.leave()) }()
	if _, _, _, err := w.cut(ctx); err != nil {
		return Summary{}, w.failure(nil, seen{}, err)
	}
	for i, steps := range plan {
		seen, err := w.play(ctx, steps)
		if err != nil {
			return w.summary(ctx), w.failure(plan[:i+1], seen, err)
		}
	}
	return w.summary(ctx), nil
}

// play carries out a round and checks it.
func (w *World) play(ctx context.Context, steps []Step) (seen, error) {
	w.trace = nil
	if err := w.burst(ctx, steps); err != nil {
		return w.watch.seen(), err
	}
	ended, seen, units, err := w.cut(ctx)
	if err != nil {
		return w.watch.seen(), err
	}
	w.note("settled")
	w.total.Rounds++
	for name, position := range w.present() {
		w.total.Positions[strings.TrimSpace(name+" "+position)]++
	}
	if position, by := w.network.internet(); len(by) > 0 {
		w.total.Positions["internet "+position+" by "+strings.Join(by, " or ")]++
	}
	return seen, w.check(ended, seen, units)
}

// burst makes faults happen, and then what they have planned.
func (w *World) burst(ctx context.Context, steps []Step) error {
	at := time.Now()
	for i := 0; i < len(steps) || len(w.later) > 0; {
		next := at
		if i < len(steps) {
			next = at.Add(steps[i].After)
		}
		if len(w.later) > 0 && (i == len(steps) || w.later[0].at.Before(next)) {
			first := w.later[0]
			w.later = w.later[1:]
			w.quietlyUntil(ctx, first.at)
			w.note("  %s", first.what)
			if err := w.count("", first.do(ctx)); err != nil {
				return fmt.Errorf("%s: %w", first.what, err)
			}
			continue
		}
		w.quietlyUntil(ctx, next)
		if err := w.count(steps[i].Fault, w.happen(ctx, steps[i])); err != nil {
			return fmt.Errorf("%s: %w", steps[i], err)
		}
		at = time.Now()
		i++
	}
	return nil
}

// count counts a fault. A fault that cannot happen is not an error.
func (w *World) count(fault string, err error) error {
	var why skipped
	if errors.As(err, &why) {
		w.note("  not now: %s", why)
		err = nil
		if fault != "" {
			w.total.Skipped++
		}
	} else if fault != "" {
		w.total.Happened++
	}
	if fault != "" {
		w.total.Faults[fault]++
	}
	return err
}

func (w *World) summary(ctx context.Context) Summary {
	s := w.total
	s.Starts = w.watch.all()
	s.Files, s.Threads, s.Memory = w.growth.most.files, w.growth.most.threads, w.growth.most.memory
	s.Took = time.Since(s.began)
	log, err := w.sb.Journal(ctx, "--user-unit", bridgeUnit, "-o", "cat")
	if err == nil {
		s.Corrections = strings.Count(log, "putting it right")
	}
	return s
}

// failure keeps what is needed to understand what went wrong.
func (w *World) failure(plan Plan, seen seen, cause error) *Failure {
	f := &Failure{Plan: plan, Cause: cause, Trace: w.trace}
	for _, event := range seen.events {
		f.Events = append(f.Events, event.String())
	}
	f.Journal, _ = w.sb.Journal(context.Background(), "-o", "short-precise", "--no-hostname", "-n", "400")
	return f
}
