package observers

import (
	"fmt"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Source names the object that an [Observer] watches, and what it takes from it.
type Source struct {
	// Name is the service's well-known bus name, Label what people call it.
	Name, Label string
	Path        dbus.ObjectPath
	Interface   string
	// Properties maps each property of interest to its D-Bus signature, u, t or b.
	Properties map[string]string
	// Words, where set, say the values of properties of type u in words.
	Words map[string]func(uint32) string
	// Doubtful names a property that some versions of the service signal and
	// some do not; the service's introspection data tells.
	Doubtful string
	// Turns names a signal of the interface after which everything is read anew.
	Turns string
	// OnDemand makes the observer read nothing until it is asked to, and then
	// start the service where it does not run.
	OnDemand bool
	// Settling is how long after the start of its service a source is left
	// alone, because until then it says what is not so.
	Settling time.Duration
	// Farewell, where the service has one, announces that it is about to go.
	Farewell Farewell
}

// Farewell is a signal of the source's interface with an object path for its
// argument. What the service says after it is about its own end, not about the
// machine.
type Farewell struct {
	Member string
	Path   dbus.ObjectPath
}

// Matches returns the match rules for the source's signals. They name path and
// interface so that nothing else of the service wakes us.
func (s Source) Matches() [][]dbus.MatchOption {
	rules := [][]dbus.MatchOption{{
		dbus.WithMatchSender(s.Name),
		dbus.WithMatchObjectPath(s.Path),
		dbus.WithMatchInterface(propertiesInterface),
		dbus.WithMatchMember("PropertiesChanged"),
		dbus.WithMatchArg(0, s.Interface),
	}}
	if s.Turns != "" {
		rules = append(rules, []dbus.MatchOption{
			dbus.WithMatchSender(s.Name),
			dbus.WithMatchObjectPath(s.Path),
			dbus.WithMatchInterface(s.Interface),
			dbus.WithMatchMember(s.Turns),
		})
	}
	if s.Farewell.Member != "" {
		rules = append(rules, []dbus.MatchOption{
			dbus.WithMatchSender(s.Name),
			dbus.WithMatchObjectPath(s.Path),
			dbus.WithMatchInterface(s.Interface),
			dbus.WithMatchMember(s.Farewell.Member),
			dbus.WithMatchArgPath(0, string(s.Farewell.Path)),
		})
	}
	return rules
}

// Describe tells the source's facts in words, by the names that people know:
// NetworkManager.Connectivity, say. Of a source without values it tells, under
// its label, why there are none.
func (s Source) Describe(facts Facts) map[string]string {
	words := map[string]string{}
	if facts.Problem != "" {
		words[s.Label] = strings.TrimPrefix(facts.Problem, s.Label+" ")
	}
	for name, value := range facts.values {
		word := fmt.Sprint(value)
		if number, ok := value.(uint32); ok && s.Words[name] != nil {
			word = s.Words[name](number)
		}
		words[s.Label+"."+name] = word
	}
	return words
}

// Initially returns how much of the source is observed without being asked to.
func (s Source) Initially() Need {
	if s.OnDemand {
		return Dormant
	}
	return Watched
}

// Need says how much an observer is to do.
type Need int

const (
	// Dormant observers do nothing. Sources on demand begin so.
	Dormant Need = iota
	// Watched observers read once and believe signals. All other sources begin so.
	Watched
	// Polled observers also read again and again what is not signalled.
	Polled
)
