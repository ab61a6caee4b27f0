package observers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Unknown is the position of a switch about which nothing can be said. People
// read it as UnknownWord.
const (
	Unknown     = ""
	UnknownWord = "unknown"
)

// InWords returns a position as people read it.
func InWords(position string) string {
	if position == Unknown {
		return UnknownWord
	}
	return position
}

// Switch is one aspect of the machine. It is in exactly one of its positions,
// or in [Unknown].
type Switch struct {
	// Name is what people call the switch: a flag's value, a word in the log.
	Name      string
	Positions []Position
	// Template, where set, makes the switch a set: its position is a list of
	// words in order, or [None], and its targets are the template with each.
	Template Template
	// Yields makes the switch follow its targets where something else moves
	// them, instead of moving them back.
	Yields bool
	// Sources are those whose facts the switch is read from.
	Sources []Source
	// Reader makes the reader of the switch for a policy.
	Reader func(Policy) Reader
	// Delays, where set, names the logind operation that is held up in the
	// position During until what its targets started has finished.
	Delays, During string
	// StartAgain are targets of others that During begins with also where they are
	// active already: a start of its own targets does not reach through them.
	StartAgain []string
}

// Reader says in which position the facts put a switch. It may remember what it
// has read before, and is to be called from one goroutine.
type Reader func(Snapshot) Reading

// Position is a value of a switch and the user targets that are active exactly
// while the switch has it.
type Position struct {
	Name    string
	Targets []string
}

// Reading is what facts say of a switch at one moment.
type Reading struct {
	// Position is a position's name or [Unknown].
	Position string
	// Reason gives the service's raw values by name.
	Reason string
	// Grace is how long the switch keeps its position in spite of the reading;
	// zero for a reading that counts at once.
	Grace time.Duration
	// GraceOnlyFrom, where set, names the only position that After protects.
	GraceOnlyFrom string
	// Urgent makes the reading count at once even where the switch flaps.
	Urgent bool
	// Request, where something asks for the position rather than tells of it, is
	// later than all before where it asks anew.
	Request dbus.Sequence
	// Origin tells which of several possible sources was read.
	Origin Origin
	// Needs says, by source, what must be observed for the switch to stay
	// known, where that is not as the source has it.
	Needs map[string]Need
}

// Origin is a source that was chosen among several.
type Origin struct {
	// Source says how and where the switch is read, as "from UPower"; Because
	// says why no better source is.
	Source, Because string
}

// Bar says what connectivity is enough to be called online.
type Bar string

const (
	// Full asks for NetworkManager's check to have reached the internet.
	Full Bar = "full"
	// Limited is content with a network, for people behind one that blocks
	// the check.
	Limited Bar = "limited"
)

// Policy holds the user's choices of how facts are read.
type Policy struct {
	OnlineWhen Bar
	// LimitedGrace is how long limited connectivity may last before an online
	// switch goes offline.
	LimitedGrace time.Duration
	// GoneGrace is how long switches keep their positions while the service
	// that they are read from is away.
	GoneGrace time.Duration
}

// Table returns every switch that there is.
func Table() Switches {
	return Switches{
		{
			Name: "internet",
			Positions: []Position{
				{"online", []string{"internet-online.target"}},
				{"offline", []string{"internet-offline.target"}},
				{"portal", []string{"internet-offline.target", "internet-portal.target"}},
			},
			Sources: []Source{NetworkManager()},
			Reader:  internet,
		},
		{
			Name: "lid",
			Positions: []Position{
				{"open", []string{"lid-open.target"}},
				{"closed", []string{"lid-closed.target"}},
			},
			Sources: []Source{Logind(), UPower()},
			Reader:  lid,
		},
		{
			Name: "sleep",
			Positions: []Position{
				{"awake", nil},
				{"asleep", []string{"sleep.target"}},
			},
			Sources: []Source{Logind()},
			Reader:  sleep,
			Delays:  "sleep",
			During:  "asleep",
			// A locker may have ended without a word.
			StartAgain: []string{"lock.target"},
		},
		{
			Name: "lock",
			Positions: []Position{
				{"unlocked", []string{"unlock.target"}},
				{"locked", []string{"lock.target"}},
			},
			Sources: []Source{Session()},
			Reader:  lock,
			// A locker that ends starts unlock.target; sleep.target starts lock.target.
			Yields: true,
		},
		{
			Name: "power",
			Positions: []Position{
				{"ac", []string{"power-ac.target"}},
				{"battery", []string{"power-battery.target"}},
			},
			Sources: []Source{UPower(), Logind()},
			Reader:  power,
		},
		{
			Name: "metered",
			Positions: []Position{
				{"unmetered", []string{"network-unmetered.target"}},
				{"metered", []string{"network-metered.target"}},
			},
			Sources: []Source{NetworkManager()},
			Reader:  metered,
		},
		{
			Name: "vpn",
			Positions: []Position{
				{"up", []string{"vpn-up.target"}},
				{"down", []string{"vpn-down.target"}},
			},
			Sources: []Source{Connections()},
			Reader:  ofActive(vpn),
		},
		{
			Name:     "connection",
			Template: byConnection(),
			Sources:  []Source{Connections()},
			Reader:   ofActive(connection),
		},
	}
}

// HasTemplate reports whether the switch is a set: its positions are not listed,
// but made of the instances of its template.
func (s Switch) HasTemplate() bool { return s.Template != (Template{}) }

// Owns reports whether a target is one of the switch's.
func (s Switch) Owns(target string) bool {
	_, isInstance := s.Template.Instance(target)
	return isInstance || slices.Contains(s.allTargets(), target)
}

// PositionNames returns the names of the positions that are listed.
func (s Switch) PositionNames() []string {
	names := make([]string, len(s.Positions))
	for i, p := range s.Positions {
		names[i] = p.Name
	}
	return names
}

// TargetsIn returns the targets that are active in a position, in the order in
// which the position lists them.
func (s Switch) TargetsIn(position string) []string {
	if s.HasTemplate() {
		var targets []string
		for _, instance := range Instances(position) {
			targets = append(targets, s.Template.Target(instance))
		}
		slices.Sort(targets)
		return slices.Compact(targets)
	}
	for _, p := range s.Positions {
		if p.Name == position {
			return slices.Clone(p.Targets)
		}
	}
	return nil
}

// allTargets returns the targets of all listed positions, each once.
func (s Switch) allTargets() []string {
	var targets []string
	for _, p := range s.Positions {
		targets = appendNew(targets, p.Targets...)
	}
	return targets
}

// Targets returns, for each target of the switch, whether it is to be active
// in a position. In [Unknown] none is. Of a set only those of the position are
// there.
func (s Switch) Targets(position string) map[string]bool {
	wanted := map[string]bool{}
	for _, target := range s.allTargets() {
		wanted[target] = false
	}
	for _, target := range s.TargetsIn(position) {
		wanted[target] = true
	}
	return wanted
}

// Accepts returns nil where the switch has the position, and otherwise an error
// that names those it has.
func (s Switch) Accepts(position string) error {
	if s.HasTemplate() {
		return s.Template.accepts(s.Name, position)
	}
	names := s.PositionNames()
	if slices.Contains(names, position) {
		return nil
	}
	return fmt.Errorf("the %s is never %q; it is one of %s", s.Name, position, strings.Join(names, ", "))
}

// PositionOf returns the position whose targets are exactly the active ones. A
// set without active targets has none.
func (s Switch) PositionOf(active []string) (position string, found bool) {
	if s.HasTemplate() {
		words := s.Template.words(active)
		return strings.Join(words, " "), len(words) > 0
	}
	for _, p := range s.Positions {
		if matches(s.Targets(p.Name), active) {
			return p.Name, true
		}
	}
	return Unknown, false
}

func matches(wanted map[string]bool, active []string) bool {
	for target, want := range wanted {
		if slices.Contains(active, target) != want {
			return false
		}
	}
	return true
}

// Switches are some of the switches, in the order in which people see them.
type Switches []Switch

// Named returns the switch of a name and whether there is one.
func (s Switches) Named(name string) (found Switch, exists bool) {
	i := slices.IndexFunc(s, func(one Switch) bool { return one.Name == name })
	if i < 0 {
		return Switch{}, false
	}
	return s[i], true
}

// Choose returns the switches of these names; all where there are no names.
func (s Switches) Choose(names []string) Switches {
	if len(names) == 0 {
		return s
	}
	return s.filter(func(one Switch) bool { return slices.Contains(names, one.Name) })
}

// Yielding returns the targets of the switches that follow them where something
// else moves them.
func (s Switches) Yielding() []string {
	return s.filter(func(one Switch) bool { return one.Yields }).Targets()
}

func (s Switches) filter(keep func(Switch) bool) Switches {
	var kept Switches
	for _, one := range s {
		if keep(one) {
			kept = append(kept, one)
		}
	}
	return kept
}

// Names returns the names of the switches.
func (s Switches) Names() []string {
	names := make([]string, len(s))
	for i, one := range s {
		names[i] = one.Name
	}
	return names
}

// Targets returns the targets of all listed positions, each once. Those of sets
// match [Switches.Patterns] instead.
func (s Switches) Targets() []string {
	var targets []string
	for _, one := range s {
		targets = appendNew(targets, one.allTargets()...)
	}
	return targets
}

// Patterns returns what the targets of sets match, for glob(7).
func (s Switches) Patterns() []string {
	var patterns []string
	for _, one := range s {
		if one.HasTemplate() {
			patterns = append(patterns, one.Template.Pattern())
		}
	}
	return patterns
}

// Sources returns what the switches are read from, each source once.
func (s Switches) Sources() []Source {
	var sources []Source
	for _, one := range s {
		for _, source := range one.Sources {
			if !slices.ContainsFunc(sources, func(known Source) bool { return known.ID == source.ID }) {
				sources = append(sources, source)
			}
		}
	}
	return sources
}

// appendNew appends the words that are not there yet.
func appendNew(words []string, more ...string) []string {
	for _, word := range more {
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}
