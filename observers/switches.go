package observers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Unknown is the position of a switch about which nothing can be said.
const Unknown = ""

// Any is what a reading doubts that says nothing against whatever position a
// switch has.
const Any = "*"

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
	// Read says in which position the facts put the switch.
	Read func(World) Reading
	// Delays, where set, names the logind operation that is held up in the
	// position During until what its targets started has finished.
	Delays, During string
	// Again are targets of others that During begins with also where they are
	// active already: a start of its own targets does not reach through them.
	Again []string
}

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
	// After is how long the switch keeps its position in spite of the reading;
	// zero for a reading that counts at once.
	After time.Duration
	// Doubts, where set, names the only position that After protects, or is [Any].
	// A switch without a protected position takes the reading at once.
	Doubts string
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

// Table returns every switch there is, read by a policy.
func Table(policy Policy) []Switch {
	return []Switch{
		{
			Name: "internet",
			Positions: []Position{
				{"online", []string{"internet-online.target"}},
				{"offline", []string{"internet-offline.target"}},
				{"portal", []string{"internet-offline.target", "internet-portal.target"}},
			},
			Sources: []Source{NetworkManager()},
			Read:    internet(policy),
		},
		{
			Name: "lid",
			Positions: []Position{
				{"open", []string{"lid-open.target"}},
				{"closed", []string{"lid-closed.target"}},
			},
			Sources: []Source{Logind(), UPower()},
			Read:    lid(policy),
		},
		{
			Name: "sleep",
			Positions: []Position{
				{"awake", nil},
				{"asleep", []string{"sleep.target"}},
			},
			Sources: []Source{Logind()},
			Read:    sleep(policy),
			Delays:  "sleep",
			During:  "asleep",
			// A locker may have ended without a word.
			Again: []string{"lock.target"},
		},
		{
			Name: "lock",
			Positions: []Position{
				{"unlocked", []string{"unlock.target"}},
				{"locked", []string{"lock.target"}},
			},
			Sources: []Source{Session()},
			Read:    lock(),
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
			Read:    power(policy),
		},
		{
			Name: "metered",
			Positions: []Position{
				{"unmetered", []string{"network-unmetered.target"}},
				{"metered", []string{"network-metered.target"}},
			},
			Sources: []Source{NetworkManager()},
			Read:    metered(policy),
		},
		{
			Name: "vpn",
			Positions: []Position{
				{"up", []string{"vpn-up.target"}},
				{"down", []string{"vpn-down.target"}},
			},
			Sources: []Source{Connections()},
			Read:    ofActive(policy, vpn),
		},
		{
			Name:     "connection",
			Template: byConnection(),
			Sources:  []Source{Connections()},
			Read:     ofActive(policy, connection),
		},
	}
}

// Targets returns, for each target of the switch, whether it is to be active
// in a position. In [Unknown] none is. Of a set only those of the position are
// there.
func (s Switch) Targets(position string) map[string]bool {
	wanted := map[string]bool{}
	for _, p := range s.Positions {
		for _, target := range p.Targets {
			wanted[target] = wanted[target] || p.Name == position
		}
	}
	if s.Template != (Template{}) {
		for _, instance := range Instances(position) {
			wanted[s.Template.Target(instance)] = true
		}
	}
	return wanted
}

// Accepts returns nil where the switch has the position, and otherwise an error
// that names those it has.
func (s Switch) Accepts(position string) error {
	if s.Template != (Template{}) {
		return s.Template.accepts(s.Name, position)
	}
	var names []string
	for _, p := range s.Positions {
		if p.Name == position {
			return nil
		}
		names = append(names, p.Name)
	}
	return fmt.Errorf("the %s is never %q; it is one of %s", s.Name, position, strings.Join(names, ", "))
}

// PositionOf returns the position whose targets are exactly the active ones. A
// set without active targets has none.
func (s Switch) PositionOf(active []string) (position string, found bool) {
	if s.Template != (Template{}) {
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
