package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// limitHit is the result of a service that was started too often.
const limitHit = "start-limit-hit"

func newRound() round {
	return round{
		initial: map[string]bool{}, moved: map[string]int{}, pulled: map[string]int{},
		positions: map[string][]string{}, limited: map[string]bool{}, deaf: map[string]int{}, vague: map[string]bool{}, must: map[string]bool{},
	}
}

// cut waits until a round has settled, ends it and begins the next one. Nothing is lost in between.
func (w *World) cut(ctx context.Context) (round, seen, map[string]unit, error) {
	for {
		units, err := w.settle(ctx)
		if err != nil {
			return round{}, seen{}, nil, err
		}
		if w.takeNews() {
			continue
		}
		w.adopt(units)
		ended := w.round
		w.round = newRound()
		for _, one := range w.sessions.all {
			one.isNew = false
		}
		w.round.masks, w.round.ended = len(w.masked) > 0, w.network.ended
		for name, u := range units {
			w.round.initial[name] = u.active == "active"
			w.round.limited[name] = u.result == limitHit
		}
		if w.free["lock"] {
			w.round.moved["unlock.target"]++ // by the next reading, if any
		}
		w.goes()
		return ended, w.watch.cut(), units, nil
	}
}

// check compares what happened in a settled round with its causes.
func (w *World) check(r round, seen seen, units map[string]unit) error {
	if err := w.growth.look(units[bridgeUnit].pid); err != nil {
		return err
	}
	if len(seen.broken) > 0 && !r.masks {
		return errors.New(strings.Join(seen.broken, "; "))
	}
	if r.nested && !r.disturbed && !r.masks && !seen.blind && seen.starts[nap] == 0 && units[nap].result != limitHit {
		return errors.New("a sleep within another one started nothing")
	}
	for _, a := range aspects() {
		for _, target := range among(a, seen.starts) {
			causes := a.causes(target, r.positions[a.name], r.initial[target]) + r.moved[target] + r.unheard(a.name) + r.forgotten(a.name, seen)
			if starts := seen.starts[target]; starts > causes {
				return fmt.Errorf("%s was started %d times though there were causes for %d: the %s was %q, and it was moved %d times",
					target, starts, causes, a.name, r.positions[a.name], r.moved[target])
			}
			for _, s := range services() {
				if s.target != target {
					continue
				}
				if err := r.checkStarts(s, seen, causes); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// unheard returns how often a switch may have lost its position because a service that had to be
// asked again did not answer.
func (r round) unheard(aspect string) int {
	if r.reborn {
		return r.deaf[aspect]
	}
	return 0
}

// forgotten returns how often a switch may have lost its position because a
// bridge was started. Such a bridge does not know that NetworkManager has
// ended a VPN.
func (r round) forgotten(aspect string, seen seen) int {
	if aspect == "vpn" && r.ended {
		return seen.starts[bridgeUnit]
	}
	return 0
}

// checkStarts checks how often a service ran: once for each start of its
// target. A start that was abandoned may or may not have run it.
func (r round) checkStarts(s service, seen seen, causes int) error {
	activations, starts := seen.starts[s.target], seen.starts[s.name]
	givenUp := seen.unended[s.target] + seen.unended[s.name]
	least, most := activations-givenUp, activations+givenUp+r.pulled[s.name]
	if seen.blind {
		most = causes + givenUp + r.pulled[s.name]
	}
	if seen.blind {
		least = 0
	}
	if r.limited[s.name] {
		most++ // the bridge starts it once more
	}
	if starts < least || starts > most {
		return fmt.Errorf("%s ran %d times, not %d to %d: %s was started %d times, %d jobs were given up, the user may have started it %d times",
			s.name, starts, least, most, s.target, activations, givenUp, r.pulled[s.name])
	}
	return nil
}

// adopt takes over the states of services that the model could not predict.
func (w *World) adopt(units map[string]unit) {
	w.adoptLock(units)
	w.wakeful = positionIn(statusOf(units[bridgeUnit].status, "sleep"))
	for _, s := range services() {
		if !s.lasts || !w.isLoose(s) {
			continue
		}
		delete(w.unsure, s.name)
		delete(w.kept, s.name)
		if units[s.target].active == "active" && units[s.name].active != "active" {
			w.kept[s.name] = units[s.target].invocation
		}
	}
}
