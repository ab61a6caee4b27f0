// Package bridge joins the two sides: it turns the facts of the system bus
// into positions of switches, and positions into wanted targets.
package bridge

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// patience is how long a transition may take before the log tells of it all the
// same: a target waits for every oneshot that it wants.
const patience = time.Minute

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

	hold     *string // the position that the user holds it in, or nil
	position string
	known    bool      // whether it has got a position yet
	because  string    // why it has this position
	since    time.Time // when it came into its position; zero if before us
	moving   *transition
}

// transition is a change of position whose targets are being put right.
type transition struct {
	from, to, reason string
	wanted           map[string]bool
	began            time.Time
}

// New returns a bridge for the given switches, which are read by a policy.
func New(switches observers.Switches, policy observers.Policy, targets Targets, sources Sources, log *slog.Logger) *Bridge {
	b := &Bridge{targets: targets, sources: sources, log: log, snapshot: observers.Snapshot{}, demanded: map[string]observers.Need{}}
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

// Yield has the switches that do so follow their targets, which something else
// has moved.
func (b *Bridge) Yield(now time.Time) {
	for _, s := range b.switches {
		position, found := s.PositionOf(b.targets.Active())
		switch {
		case !s.Yields || !s.known:
		case s.hold != nil:
			b.targets.Want(s.Targets(s.position))
		case found && position != s.position:
			s.damper.Adopt(position)
			for _, source := range s.Sources {
				b.sources.Forget(source.ID)
			}
			b.enter(now, s, position, "something else has moved its targets")
		}
	}
}

// Expel stops targets of a set that something else has started, once it is
// known which are to be active.
func (b *Bridge) Expel(strays []string) {
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
func (b *Bridge) Observe(now time.Time, facts observers.Facts) {
	b.snapshot[facts.Source] = facts
	for _, s := range b.switches {
		if !s.readsFrom(facts.Source) {
			continue
		}
		reading, from := b.read(now, s), s.position
		b.move(now, s)
		b.heed(s, reading, from)
	}
	b.changed = true
	b.tellDemands()
}

// read offers a switch what the facts say of it.
func (b *Bridge) read(now time.Time, s *switchState) observers.Reading {
	reading := s.reader(b.snapshot)
	s.reason, s.needs = reading.Reason, reading.Needs
	if reading.Origin != s.origin && reading.Origin.Source != "" {
		s.origin = reading.Origin
		b.log.Info("the "+s.Name+" is read "+s.origin.Source, "switch", s.Name, "because", s.origin.Because)
	}
	s.damper.Offer(now, reading)
	return reading
}

// heed does what is asked for anew of a switch that was in a position before. A
// locker that has ended without a word leaves its target active, and is to start
// the next time all the same.
func (b *Bridge) heed(s *switchState, reading observers.Reading, from string) {
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
func (b *Bridge) Tick(now time.Time) {
	for _, s := range b.switches {
		b.move(now, s)
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
		if s.moving != nil {
			sooner(s.moving.began.Add(patience))
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

// Settle logs the transitions whose targets have got where they are to be, and
// those that take too long.
func (b *Bridge) Settle(now time.Time) {
	for _, s := range b.switches {
		if s.moving == nil {
			continue
		}
		pending, result := b.targets.Progress(s.moving.wanted)
		if pending && now.Before(s.moving.began.Add(patience)) {
			continue
		}
		if pending {
			result = "still waiting for what the targets want; see systemctl --user list-jobs"
		}
		b.report(now, s, result)
	}
}

// Announce logs the positions that a new bridge begins with.
func (b *Bridge) Announce() {
	positions := make([]any, 0, 2*len(b.switches))
	for _, s := range b.switches {
		positions = append(positions, s.Name, inWords(s.position))
	}
	b.log.Info("observing", positions...)
}

// longestStatus is how many bytes the status may have of each switch. The
// service manager ignores messages of more than 4096 (NOTIFY_BUFFER_MAX in
// systemd's src/core/manager.c).
const longestStatus = 300

// Status says the present positions in words, in one line.
func (b *Bridge) Status() string {
	words := make([]string, 0, len(b.switches))
	for _, s := range b.switches {
		words = append(words, oneLine(s.status(b.targets)))
	}
	return strings.Join(words, ", ")
}

// oneLine makes words fit for the status.
func oneLine(words string) string {
	words = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, words)
	if len(words) <= longestStatus {
		return words
	}
	return strings.ToValidUTF8(words[:longestStatus], "") + "…"
}

func (s *switchState) status(targets Targets) string {
	words := s.Name + " " + inWords(s.position)
	if _, problem := targets.Progress(s.Targets(s.position)); s.known && problem != "" {
		return words + " (" + problem + ")"
	}
	switch doubt := s.doubt(); {
	case s.hold != nil:
		words += " (" + heldByHand + ")"
	case doubt != "":
		words += " (in doubt: " + doubt + ")"
	case s.position == observers.Unknown && s.reason != "":
		words += " (" + s.reason + ")"
	case s.origin.Source != "":
		words += " (" + s.origin.Source + ")"
	}
	return words
}

// doubt tells why the position may soon be another one, or nothing.
func (s *switchState) doubt() string {
	if s.damper.Pending() == nil || s.position == observers.Unknown {
		return ""
	}
	return s.reason
}

// why tells what put the switch into its position. Of one that it had from the
// beginning, or that nothing has given it yet, what is read now tells it.
func (s *switchState) why() string {
	if s.because == "" && s.hold == nil && s.doubt() == "" {
		return s.reason
	}
	return s.because
}

func (s *switchState) readsFrom(id string) bool {
	for _, source := range s.Sources {
		if source.ID == id {
			return true
		}
	}
	return false
}

// move takes the reading that is due, if one is.
func (b *Bridge) move(now time.Time, s *switchState) {
	from, _ := s.damper.Present()
	reading, moved := s.damper.Take(now)
	if !moved {
		return
	}
	b.changed = true
	if s.Delays != "" && from == s.During {
		b.stale = true
	}
	if s.hold == nil {
		b.enter(now, s, reading.Position, reading.Reason)
	}
}

// enter puts a switch into a position.
func (b *Bridge) enter(now time.Time, s *switchState, position, reason string) {
	if s.moving != nil {
		b.report(now, s, "superseded")
	}
	s.moving = &transition{
		from: s.position, to: position, reason: reason,
		wanted: s.change(position, b.targets.Active()), began: now,
	}
	s.position, s.known, s.because, s.since = position, true, reason, now
	b.changed = true
	b.entered = append(b.entered, Transition{s.Name, inWords(s.moving.from), inWords(position), reason})
	b.targets.Want(s.moving.wanted)
	if position != observers.Unknown && position == s.During {
		b.targets.StartAgain(slices.DeleteFunc(slices.Clone(s.StartAgain), func(target string) bool {
			return !slices.Contains(b.targets.Active(), target)
		}))
	}
}

// change returns, for each target that matters, whether it is to be active in a
// position: of a set also those that no longer are.
func (s *switchState) change(position string, active []string) map[string]bool {
	wanted := s.Targets(position)
	for _, target := range append(slices.Collect(maps.Keys(s.Targets(s.position))), active...) {
		_, isOurs := s.Template.Instance(target)
		if isOurs && !wanted[target] {
			wanted[target] = false
		}
	}
	return wanted
}

// report logs a transition, with the result where its targets did not all get
// there.
func (b *Bridge) report(now time.Time, s *switchState, result string) {
	t := s.moving
	s.moving = nil
	attributes := []any{
		"switch", s.Name,
		"from", inWords(t.from), "to", inWords(t.to),
		"reason", t.reason,
		"targets", strings.Join(s.TargetsIn(t.to), " "),
		"duration", now.Sub(t.began).Round(10 * time.Microsecond),
	}
	if result != "" {
		attributes = append(attributes, "result", result)
	}
	b.log.Info(s.Name+" is "+inWords(t.to), attributes...)
}

func inWords(position string) string {
	if position == observers.Unknown {
		return "unknown"
	}
	return position
}
