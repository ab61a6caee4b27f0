package chaos

import (
	"context"
	"fmt"
	"strings"
)

// begin begins a round.
func (w *World) begin(ctx context.Context) error {
	units, err := w.look(ctx, targets()...)
	if err != nil {
		return err
	}
	w.round = round{initial: map[string]bool{}, moved: map[string]int{}, pulled: map[string]int{}, masks: len(w.masked) > 0}
	for name, u := range units {
		w.round.initial[name] = u.active == "active"
	}
	for name, position := range w.present() {
		w.positions[name] = []string{position}
	}
	w.watch.reset()
	return nil
}

// check holds what happened in a round that has settled against its causes.
func (w *World) check(ctx context.Context) error {
	units, err := w.look(ctx, w.names()...)
	if err != nil {
		return err
	}
	if err := w.growth.look(units[bridgeUnit].pid); err != nil {
		return err
	}
	w.adopt(units)
	seen := w.watch.seen()
	if len(seen.broken) > 0 && !w.round.masks {
		return fmt.Errorf("%s", strings.Join(seen.broken, "; "))
	}
	for _, a := range aspects() {
		for _, target := range a.all() {
			causes := a.causes(target, w.positions[a.name], w.round.initial[target]) + w.round.moved[target]
			if starts := seen.starts[target]; starts > causes {
				return fmt.Errorf("%s was started %d times though there were causes for %d: the %s was %q, and it was moved %d times",
					target, starts, causes, a.name, w.positions[a.name], w.round.moved[target])
			}
			for _, s := range services() {
				if s.target == target {
					if err := w.checkStarts(s, seen, causes, units[s.name]); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// checkStarts checks how often a service ran: once for each start of its target. A start that was given up may
// have run it or not.
func (w *World) checkStarts(s service, seen seen, causes int, now unit) error {
	activations, starts := seen.starts[s.target], seen.starts[s.name]
	givenUp := seen.unended[s.target] + seen.unended[s.name]
	least, most := activations-givenUp, activations+givenUp+w.round.pulled[s.name]
	if seen.blind {
		least, most = 0, causes+givenUp+w.round.pulled[s.name]
	}
	if now.result == "start-limit-hit" {
		if units := w.busyHands(s); !units {
			return fmt.Errorf("%s has hit its start limit, for good, and the user did nothing: %s was started %d times", s.name, s.target, activations)
		}
		least = 0
	}
	if starts < least || starts > most {
		return fmt.Errorf("%s ran %d times, not %d to %d: %s was started %d times, %d jobs were given up, the user may have started it %d times",
			s.name, starts, least, most, s.target, activations, givenUp, w.round.pulled[s.name])
	}
	return nil
}

// adopt learns what became of services about which the model could not know.
func (w *World) adopt(units map[string]unit) {
	for _, s := range services() {
		limited := s.lasts && units[s.name].result == "start-limit-hit"
		if !w.unsure[s.name] && !limited {
			continue
		}
		delete(w.unsure, s.name)
		delete(w.kept, s.name)
		if units[s.target].active == "active" && units[s.name].active != "active" {
			w.kept[s.name] = units[s.target].invocation
		}
	}
}
