// Package bridge joins the two sides: it turns the facts of the system bus
// into positions of switches, and positions into wanted targets.
package bridge

import (
	"log/slog"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Targets is what the bridge needs of the side that starts and stops targets.
type Targets interface {
	// Want says which targets are to be active and which are not.
	Want(wanted map[string]bool)
	// StartAgain starts targets, also those that are active, and so what they want.
	StartAgain(targets []string)
	// Active returns the managed targets that are active now.
	Active() []string
	// Progress tells whether the targets' jobs are on the way, and otherwise
	// why one of them could not be had.
	Progress(targets map[string]bool) (pending bool, problem string)
}

// Sources is what the bridge needs of the side that observes.
type Sources interface {
	// Demand says how much of a source must be observed from now on.
	Demand(source string, need observers.Need)
	// Forget has a source forget what signals have said last.
	Forget(source string)
}

// Bridge owns the position of every switch. Its methods are to be called from
// one goroutine; none of them blocks.
type Bridge struct {
	targets  Targets
	sources  Sources
	now      func() time.Time
	log      *slog.Logger
	switches []*switchState
	snapshot observers.Snapshot
	demanded map[string]observers.Need
	entered  []Transition
	stale    bool // whether everything is to be read anew
	changed  bool // whether [Bridge.View] has, since [Bridge.Changed] was asked
}

// switchState is a row of the switch table with its present state.
type switchState struct {
	observers.Switch
	reader observers.Reader
	damper observers.Damper
	reason string // of the latest reading
	origin observers.Origin
	needs  map[string]observers.Need
	// request is the latest that was heeded.
	request dbus.Sequence

	heldIn     *string // the position that the user holds it in, or nil
	position   string
	known      bool      // whether it has got a position yet
	cause      string    // why it has this position
	since      time.Time // when it came into its position; zero if before us
	transition *transition
}

// New returns a bridge for the given switches, which are read by a policy.
func New(switches observers.Switches, policy observers.Policy, targets Targets, sources Sources, now func() time.Time, log *slog.Logger) *Bridge {
	b := &Bridge{targets: targets, sources: sources, now: now, log: log, snapshot: observers.Snapshot{}, demanded: map[string]observers.Need{}}
	for _, s := range switches {
		b.switches = append(b.switches, &switchState{Switch: s, reader: s.Reader(policy)})
		for _, source := range s.Sources {
			b.demanded[source.ID] = source.Initially()
		}
	}
	return b
}

// Adopt starts from the positions whose targets are active already, so that a
// restarted bridge knows what a doubtful reading puts in doubt.
func (b *Bridge) Adopt() {
	for _, s := range b.switches {
		if position, found := s.PositionOf(b.targets.Active()); found {
			s.damper.Adopt(position)
			s.position, s.known = position, true
			b.targets.Want(s.Targets(position))
		}
	}
	b.changed = true
}

// followTargets has the switches that do so follow their targets, which something else
// has moved.
func (b *Bridge) followTargets() {
	for _, s := range b.switches {
		position, found := s.PositionOf(b.targets.Active())
		switch {
		case !s.Yields || !s.known:
		case s.heldIn != nil:
			b.targets.Want(s.Targets(s.position))
		case found && position != s.position:
			s.damper.Adopt(position)
			for _, source := range s.Sources {
				b.sources.Forget(source.ID)
			}
			b.enter(s, position, "something else has moved its targets")
		}
	}
}

// stopStrays stops targets of a set that something else has started, once it is
// known which are to be active.
func (b *Bridge) stopStrays(strays []string) {
	for _, target := range strays {
		for _, s := range b.switches {
			_, isOurs := s.Template.Instance(target)
			if isOurs && s.known && !s.Targets(s.position)[target] {
				b.log.Info("something else has started "+target+"; putting it right", "target", target)
				b.targets.Want(map[string]bool{target: false})
			}
		}
	}
}

// Observe takes new facts and moves the switches that are read from them.
func (b *Bridge) Observe(facts observers.Facts) {
	b.snapshot[facts.Source] = facts
	for _, s := range b.switches {
		if !s.readsFrom(facts.Source) {
			continue
		}
		reading, from := b.read(s), s.position
		b.move(s)
		b.handleRequest(s, reading, from)
	}
	b.changed = true
	b.tellDemands()
}

// read offers a switch what the facts say of it.
func (b *Bridge) read(s *switchState) observers.Reading {
	reading := s.reader(b.snapshot)
	s.reason, s.needs = reading.Reason, reading.Needs
	if reading.Origin != s.origin && reading.Origin.Source != "" {
		s.origin = reading.Origin
		b.log.Info("the "+s.Name+" is read "+s.origin.Source, "switch", s.Name, "because", s.origin.Because)
	}
	s.damper.Offer(b.now(), reading)
	return reading
}

// handleRequest does what is asked for anew of a switch that was in a position before. A
// locker that has ended without a word leaves its target active, and is to start
// the next time all the same.
func (b *Bridge) handleRequest(s *switchState, reading observers.Reading, from string) {
	if reading.Request <= s.request {
		return
	}
	s.request = reading.Request
	if from != s.position || s.position != reading.Position {
		return
	}
	b.log.Info(s.Name+" is asked to be "+s.position+" again; starting again what its targets want", "switch", s.Name, "reason", reading.Reason)
	b.targets.StartAgain(s.TargetsIn(s.position))
}

// tellDemands passes on what the switches need of each source by now.
func (b *Bridge) tellDemands() {
	needed := map[string]observers.Need{}
	for _, s := range b.switches {
		for _, source := range s.Sources {
			needed[source.ID] = max(needed[source.ID], source.Initially(), s.needs[source.ID])
		}
	}
	for source, need := range needed {
		if need != b.demanded[source] {
			b.demanded[source] = need
			b.sources.Demand(source, need)
		}
	}
}

// Stale tells, once, that everything is to be read anew because an operation is
// over that may have changed everything.
func (b *Bridge) Stale() bool {
	stale := b.stale
	b.stale = false
	return stale
}

// Underway tells whether the operation is on its way that a switch delays, and
// which logind says so. Without such a switch there is none.
func (b *Bridge) Underway(what string) (logind observers.Facts, underway bool) {
	for _, s := range b.switches {
		if s.Delays == what {
			present, _ := s.damper.Present()
			return b.snapshot[s.Sources[0].ID], present == s.During
		}
	}
	return observers.Facts{}, false
}

// Tick moves the switches whose waiting readings are due.
func (b *Bridge) Tick() {
	for _, s := range b.switches {
		b.move(s)
	}
}

// Due returns when [Bridge.Tick] is next to be called, if it is.
func (b *Bridge) Due() (due time.Time, waiting bool) {
	sooner := func(t time.Time) {
		if !waiting || t.Before(due) {
			due, waiting = t, true
		}
	}
	for _, s := range b.switches {
		if t, pending := s.damper.Due(); pending {
			sooner(t)
		}
		if s.transition != nil {
			sooner(s.transition.began.Add(longTransition))
		}
	}
	return due, waiting
}

// Heard tells whether every service that a switch is read from has been heard,
// and none that is needed is about to be.
func (b *Bridge) Heard() bool {
	for _, s := range b.switches {
		for _, source := range s.Sources {
			if !b.snapshot[source.ID].Satisfies(b.demanded[source.ID]) {
				return false
			}
		}
	}
	return true
}

func (s *switchState) readsFrom(id string) bool {
	for _, source := range s.Sources {
		if source.ID == id {
			return true
		}
	}
	return false
}
