package observers

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Source names the object that an [Observer] watches, and what it takes from it.
type Source struct {
	// ID is what the source is known by in a [World].
	ID string
	// Name is the service's well-known bus name, Label what people call it.
	Name, Label string
	Path        dbus.ObjectPath
	Interface   string
	// Properties maps each property of interest to its D-Bus signature: u, t, b
	// or s.
	Properties map[string]string
	// Children, where set, are further objects that a property names.
	Children *Children
	// Words, where set, say the values of properties of type u in words.
	Words map[string]func(uint32) string
	// Doubtful names properties that some versions of the service signal and
	// some do not; the service's introspection data tells. Where one is not, it
	// is read again and again for those who need this much or more.
	Doubtful map[string]Need
	// Turns names a signal of the interface after which everything is read anew.
	Turns string
	// Transient tells that the object may not be there, which is no trouble.
	Transient bool
	// OnDemand makes the observer read nothing until it is asked to, and then
	// start the service where it does not run.
	OnDemand bool
	// Settling is how long after the start of its service a source is left
	// alone, because until then it says what is not so.
	Settling time.Duration
	// Farewells, where the service has some, announce that it is about to go.
	Farewells []Farewell
}

// Children are objects that come and go, as the sessions of a user do.
type Children struct {
	// Property of the source names them: an array of paths (ao), or one of a
	// name and a path ((so)), which is / where there is none.
	Property string
	// Premature tells that Property is signalled before it has its new value,
	// so that a signal of it is only a reason to read it.
	Premature bool
	// Below is the path that the paths of all of them begin with.
	Below      dbus.ObjectPath
	Interface  string
	Properties map[string]string
	// Latest, where set, is a value that signals of the child give.
	Latest *Latest
}

// Latest is a value of type b that is what was said last: by one of the signals
// or by a change of the property. It is not known before.
type Latest struct {
	Name     string
	Signals  map[string]bool
	Property string
	// Request, where set, is the one of Signals that asks for something each
	// time it comes, also where nothing changes by it.
	Request string
}

// Farewell is a signal by which a service tells of its own end. What it says
// after it is about that end, not about the machine.
type Farewell struct {
	Interface, Member string
	// From is the object that sends it, or one above that.
	From dbus.ObjectPath
	// Body is what it says. What is nil there may be anything.
	Body []any
}

// isSaidBy reports whether a signal of the service is the farewell.
func (f Farewell) isSaidBy(signal *dbus.Signal) bool {
	if signal.Name != f.Interface+"."+f.Member || len(signal.Body) != len(f.Body) ||
		signal.Path != f.From && !strings.HasPrefix(string(signal.Path), string(f.From)+"/") {
		return false
	}
	for i, want := range f.Body {
		if want != nil && signal.Body[i] != want {
			return false
		}
	}
	return true
}

func (f Farewell) matches(sender string) []dbus.MatchOption {
	rule := []dbus.MatchOption{
		dbus.WithMatchSender(sender),
		dbus.WithMatchPathNamespace(f.From),
		dbus.WithMatchInterface(f.Interface),
		dbus.WithMatchMember(f.Member),
	}
	for i, want := range f.Body {
		if path, isPath := want.(dbus.ObjectPath); isPath {
			rule = append(rule, dbus.WithMatchArgPath(i, string(path)))
		}
	}
	return rule
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
	if s.Children != nil {
		rules = append(rules, []dbus.MatchOption{
			dbus.WithMatchSender(s.Name),
			dbus.WithMatchPathNamespace(s.Children.Below),
			dbus.WithMatchInterface(propertiesInterface),
			dbus.WithMatchMember("PropertiesChanged"),
			dbus.WithMatchArg(0, s.Children.Interface),
		})
		for _, signal := range s.Children.signals() {
			rules = append(rules, []dbus.MatchOption{
				dbus.WithMatchSender(s.Name),
				dbus.WithMatchPathNamespace(s.Children.Below),
				dbus.WithMatchInterface(s.Children.Interface),
				dbus.WithMatchMember(signal),
			})
		}
	}
	for _, farewell := range s.Farewells {
		rules = append(rules, farewell.matches(s.Name))
	}
	return rules
}

// Describe tells the source's facts in words, by the names that people know:
// NetworkManager.Connectivity, say, or logind.session._31.LockedHint. Of a source without values it tells, under
// its label, why there are none.
func (s Source) Describe(facts Facts) map[string]string {
	words := map[string]string{}
	if facts.Problem != "" {
		words[s.Label] = strings.TrimPrefix(facts.Problem, s.Label+" ")
	}
	for name, value := range facts.values {
		words[s.Label+"."+name] = s.word(name, value)
	}
	for _, child := range facts.children {
		which := path.Base(string(s.Children.Below)) + "." + path.Base(string(child.Path))
		for name, value := range child.values {
			words[s.Label+"."+which+"."+name] = s.word(name, value)
		}
	}
	return words
}

func (s Source) word(name string, value any) string {
	if number, ok := value.(uint32); ok && s.Words[name] != nil {
		return s.Words[name](number)
	}
	return legible(fmt.Sprint(value))
}

// legible writes what others have named so that it is one line, and does
// nothing to a terminal.
func legible(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
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
	// Polled observers also read, every [SeldomInterval], what is not signalled
	// and has time.
	Polled
	// PolledOften observers read, every [OftenInterval], what has none besides.
	PolledOften
)

const (
	// OftenInterval is how often the lid is read where nobody signals it: seldom
	// enough to cost little, often enough for a lid.
	OftenInterval = 2 * time.Second
	// SeldomInterval is how often it is read where the power comes from. People
	// who pull a charger to see what happens attend to it for some ten seconds
	// (https://www.nngroup.com/articles/response-times-3-important-limits/). What
	// is started or stopped then saves energy over minutes, and a sleeping
	// machine has everything read anew when it wakes up.
	SeldomInterval = 10 * time.Second
)

// interval is how often an observer reads for such a need; zero for never.
func (n Need) interval() time.Duration {
	switch n {
	case Polled:
		return SeldomInterval
	case PolledOften:
		return OftenInterval
	}
	return 0
}
