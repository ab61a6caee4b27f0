// Package bridge joins the two sides: it turns the facts of the system bus into
// positions of switches, and positions into wanted targets. It also holds the
// delay locks that keep logind waiting until the units of a target have run.
//
// # Goroutines
//
// The goroutine that calls [Run] owns every switch, every delay and the state of
// the [systemdctl.Reconciler]; none of their methods blocks or locks. Each observer
// has its own goroutine, which owns what it has read and sends [observers.Facts].
// The goroutine that reads a bus only queues signals. Everything else that concerns
// the loop is posted to its [Inbox]: answers of the user manager, locks of logind
// and calls on the session bus. A pass of the loop produces one [Change], and the
// end of the pass acts on it.
package bridge

import (
	"log/slog"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Targets starts and stops targets.
type Targets interface {
	// Want says which targets must be active and which must not.
	Want(wanted map[string]bool)
	// StartAgain starts targets even if they are active, and with them the units that
	// they want.
	StartAgain(targets []string)
	// FindUnused finds targets that are active although nothing that they want has
	// run. [systemdctl.Moved] names them.
	FindUnused(targets []string)
}

// TargetStates reports the states of the targets.
type TargetStates interface {
	// Active returns the managed targets that are active now.
	Active() []string
	// Progress reports whether jobs for the targets are unfinished. If not, it returns
	// why one of the targets could not be moved.
	Progress(targets map[string]bool) (pending bool, problem string)
}

// Crashes reports crashes of services that start with targets.
type Crashes interface {
	// Crashed returns the name of a service that starts with one of the targets and is
	// crashing or has just crashed; "" if there is none.
	Crashed(targets []string) string
	// AwaitAnswer calls done once everything that the user manager has sent so far is
	// known.
	AwaitAnswer(done func())
}

// Sources are the observers of the system bus.
type Sources interface {
	// Demand says how much of a source must be observed from now on.
	Demand(source string, need observers.Need)
}

// Bridge owns the position of every switch. Its methods are called from one
// goroutine; none of them blocks.
type Bridge struct {
	targets  Targets
	states   TargetStates
	crashes  Crashes
	sources  Sources
	now      func() time.Time
	log      *slog.Logger
	switches []*switchState
	snapshot observers.Snapshot
	guards   map[string]*guard // by the ID of the source
	demanded map[string]observers.Need
	rereads  int // how many times everything had to be read again
}

// switchState is a row of the switch table with its present state.
type switchState struct {
	observers.Switch
	reader observers.Follower
	damper observers.Damping
	reason string // of the latest reading
	origin observers.Origin
	needs  map[string]observers.Need
	// request is the latest request that was handled.
	request dbus.Sequence

	heldIn     *string // the position that the user holds it in, or nil
	position   string
	known      bool      // whether it has a position yet
	cause      string    // why it has this position
	since      time.Time // when it entered its position; zero if before our start
	transition *transition
	// after is the latest time at which the switch enters its position After; zero if
	// it does not.
	after time.Time
}

// New returns a bridge for switches that are read by a policy. It reads the time
// from now.
func New(switches observers.Switches, policy observers.Policy, targets Targets, states TargetStates, crashes Crashes, sources Sources, now func() time.Time, log *slog.Logger) *Bridge {
	b := &Bridge{
		targets: targets, states: states, crashes: crashes, sources: sources, now: now, log: log,
		snapshot: observers.Snapshot{}, guards: map[string]*guard{}, demanded: map[string]observers.Need{},
	}
	for _, s := range switches {
		b.switches = append(b.switches, &switchState{Switch: s, reader: s.NewReader(policy), damper: s.Damping(now)})
		for _, source := range s.Sources {
			b.demanded[source.ID] = source.Initially()
		}
	}
	return b
}

// Adopt starts from the positions whose targets are already active, so that a
// restarted bridge knows the position that a doubtful reading puts in doubt.
func (b *Bridge) Adopt() Change {
	for _, s := range b.switches {
		if position, found := s.PositionOf(b.states.Active()); found {
			s.damper.Adopt(position)
			s.position, s.known = position, true
			b.targets.Want(s.Targets(position))
		}
	}
	return Change{View: true}
}

// Moved handles what something else has done to the targets.
func (b *Bridge) Moved(moved systemdctl.Moved) (change Change) {
	if moved.Yielding {
		change = b.followTargets()
	}
	change.add(b.leave(moved.Done, "the units of its targets have ended", func(s *switchState) observers.Next { return s.Done }))
	change.add(b.leave(moved.Unused, "no unit of its targets has run", func(s *switchState) observers.Next { return s.Unused }))
	b.stopStrays(moved.Strays)
	return change
}

// leave moves switches away from targets, to the position that follows. A switch that is
// held by hand leaves later.
func (b *Bridge) leave(targets []string, reason string, nextOf func(*switchState) observers.Next) (change Change) {
	for _, s := range b.switches {
		next := nextOf(s)
		if next == nil || !slices.ContainsFunc(s.TargetsIn(s.position), func(target string) bool { return slices.Contains(targets, target) }) {
			continue
		}
		if position, follows := next(b.snapshot); follows && position != s.position {
			s.damper.Adopt(position)
			if s.heldIn == nil {
				change.add(b.enter(s, position, reason))
			}
		}
	}
	return change
}

// followTargets moves the switches that follow their targets, when something else
// has moved those targets.
func (b *Bridge) followTargets() (change Change) {
	for _, s := range b.switches {
		position, found := s.PositionOf(b.states.Active())
		switch {
		case !s.Yields || !s.known:
		case s.heldIn != nil:
			b.targets.Want(s.Targets(s.position))
		case found && position != s.position:
			s.damper.Adopt(position)
			change.add(b.enter(s, position, "something else has moved its targets"))
		}
	}
	return change
}

// stopStrays stops targets of sets that something else has started, once it is
// known which targets are to be active.
func (b *Bridge) stopStrays(strays []string) {
	for _, target := range strays {
		for _, s := range b.switches {
			_, isInstance := s.Template.Instance(target)
			if isInstance && s.known && !s.Targets(s.position)[target] {
				b.log.Info("something else has started "+target+"; putting it right", "target", target)
				b.targets.Want(map[string]bool{target: false})
			}
		}
	}
}

// take handles facts that are believed.
func (b *Bridge) take(facts observers.Facts) Change {
	change := Change{View: true}
	b.snapshot[facts.Source] = facts
	for _, s := range b.switches {
		if !s.readsFrom(facts.Source) {
			continue
		}
		present, _ := s.damper.Present()
		reading, from := b.read(s, present), s.position
		change.add(b.move(s))
		s.confirm(reading)
		b.handleRequest(s, reading, from)
	}
	b.tellDemands()
	return change
}

// read offers a switch what the facts say about it, given its present position.
func (b *Bridge) read(s *switchState, present string) observers.Reading {
	reading := s.reader(b.snapshot, observers.Present{Position: present, Crashed: b.crashes.Crashed(s.TargetsIn(present))})
	s.reason, s.needs = reading.Reason, reading.Needs
	if reading.Ignored != "" {
		b.log.Info("the "+s.Name+" stays "+reading.Position+": "+reading.Ignored, "switch", s.Name, "reason", reading.Reason)
	}
	if reading.Origin != s.origin && reading.Origin.Source != "" {
		s.origin = reading.Origin
		b.log.Info("the "+s.Name+" is read "+s.origin.Source, "switch", s.Name, "because", s.origin.Because)
	}
	s.damper.Offer(reading)
	return reading
}

// confirm stores the reason of a reading that confirms the present position: another
// link may keep the switch there now.
func (s *switchState) confirm(reading observers.Reading) {
	if s.known && s.heldIn == nil && reading.Position == s.position && s.damper.Pending() == nil {
		s.cause = reading.Reason
	}
}

// handleRequest starts a switch's targets again if a new request asks for the
// position that the switch already has. A locker that has ended silently leaves its
// target active, but must start at the next request.
func (b *Bridge) handleRequest(s *switchState, reading observers.Reading, from string) {
	if reading.Request <= s.request {
		return
	}
	s.request = reading.Request
	if from != s.position || s.position != reading.Position {
		return
	}
	b.log.Info(s.Name+": "+s.position+" is requested again; starting the units of its targets again", "switch", s.Name, "reason", reading.Reason)
	b.targets.StartAgain(s.TargetsIn(s.position))
	b.startOthersAgain(s)
}

// startOthersAgain starts the StartAgain targets of a switch in its position During. If
// another switch is held by hand in the position of these targets, it keeps that position
// once it is released.
func (b *Bridge) startOthersAgain(s *switchState) {
	if s.position == observers.Unknown || s.position != s.During {
		return
	}
	for _, other := range b.switches {
		if other.heldIn != nil && slices.ContainsFunc(other.TargetsIn(other.position), func(target string) bool { return slices.Contains(s.StartAgain, target) }) {
			other.damper.Adopt(other.position)
		}
	}
	b.targets.StartAgain(slices.DeleteFunc(slices.Clone(s.StartAgain), func(target string) bool {
		return !slices.Contains(b.states.Active(), target)
	}))
}

// tellDemands passes on what the switches now need of each source.
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

// Underway reports whether an operation that a switch delays has begun, and returns
// the facts of the logind that says so. Without such a switch there is no
// operation.
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
func (b *Bridge) Tick() (change Change) {
	for _, s := range b.switches {
		change.add(b.move(s))
	}
	return change
}

// Due returns when to call [Bridge.Tick] next, if at all.
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
		if !s.after.IsZero() {
			sooner(s.after)
		}
	}
	return due, waiting
}

// Heard reports whether every service that a switch needs has been heard.
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
