package bridge

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// longTransition is how long a transition may take before it is logged unfinished:
// a target waits for every oneshot that it wants.
const longTransition = time.Minute

// transition is a change of position whose targets are still being moved.
type transition struct {
	from, to, reason string
	wanted           map[string]bool
	began            time.Time
}

// Settle logs the transitions whose targets have moved, and those that take too
// long.
func (b *Bridge) Settle() {
	for _, s := range b.switches {
		if s.transition == nil {
			continue
		}
		pending, result := b.states.Progress(s.transition.wanted)
		if pending && b.now().Before(s.transition.began.Add(longTransition)) {
			continue
		}
		if pending {
			result = "still waiting for units of the targets; see systemctl --user list-jobs"
		}
		b.report(s, result)
	}
}

// move applies the reading that is due, if there is one.
func (b *Bridge) move(s *switchState) Change {
	from, _ := s.damper.Present()
	reading, moved := s.damper.Take()
	if !moved {
		return Change{}
	}
	change := Change{View: true, Stale: s.Delays != "" && from == s.During}
	if change.Stale && s.After != "" {
		s.after = b.now().Add(longestReread)
	}
	if s.heldIn == nil {
		change.add(b.enter(s, reading.Position, reading.Reason))
	}
	return change
}

// enter puts a switch into a position.
func (b *Bridge) enter(s *switchState, position, reason string) Change {
	if s.transition != nil {
		b.report(s, "superseded")
	}
	s.transition = &transition{
		from: s.position, to: position, reason: reason,
		wanted: s.wanted(position, b.states.Active()), began: b.now(),
	}
	s.position, s.known, s.cause, s.since = position, true, reason, b.now()
	b.targets.Want(s.transition.wanted)
	if s.transition.from == s.During {
		b.targets.FindUnused(s.StartAgain)
	}
	b.startOthersAgain(s)
	return Change{View: true, Entered: []Transition{{s.Name, observers.InWords(s.transition.from), observers.InWords(position), reason}}}
}

// wanted returns, for each target that matters, whether it must be active in a
// position. For a set, that includes the targets that must stop.
func (s *switchState) wanted(position string, active []string) map[string]bool {
	wanted := s.Targets(position)
	for _, target := range append(slices.Collect(maps.Keys(s.Targets(s.position))), active...) {
		_, isOurs := s.Template.Instance(target)
		if isOurs && !wanted[target] {
			wanted[target] = false
		}
	}
	return wanted
}

// report ends a transition and logs it, with a result if not all targets moved.
func (b *Bridge) report(s *switchState, result string) {
	t := s.transition
	s.transition = nil
	attributes := []any{
		"switch", s.Name,
		"from", observers.InWords(t.from), "to", observers.InWords(t.to),
		"reason", t.reason,
		"targets", strings.Join(s.TargetsIn(t.to), " "),
		"duration", b.now().Sub(t.began).Round(10 * time.Microsecond),
	}
	if result != "" {
		attributes = append(attributes, "result", result)
	}
	b.log.Info(s.Name+" is "+observers.InWords(t.to), attributes...)
}

// Transition is a change of a switch's position, in words.
type Transition struct {
	Switch, From, To, Reason string
}
