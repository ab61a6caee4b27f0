// Package observers reads system services and says in which position each
// switch of the machine is, and why.
//
// An [Observer] turns one object of one D-Bus service into [Facts]; a [Switch]
// reads facts as a position; a [Damper] decides when a reading counts.
package observers

import (
	"maps"
	"time"

	"github.com/godbus/dbus/v5"
)

// Facts are what one service was last heard to say about its object. The zero
// value stands for a service that has not been heard yet.
type Facts struct {
	// Service is the well-known bus name that the facts come from.
	Service string
	// Owner is the unique name of the one who said so.
	Owner string
	// Problem says in words why there are no values; it is empty when there are.
	Problem string

	values map[string]any
}

// World holds the latest facts by the bus name of their service.
type World map[string]Facts

// Uint32 returns a property of D-Bus type u and whether it is known.
func (f Facts) Uint32(property string) (uint32, bool) {
	v, ok := f.values[property].(uint32)
	return v, ok
}

// Bool returns a property of D-Bus type b and whether it is known.
func (f Facts) Bool(property string) (value, known bool) {
	value, known = f.values[property].(bool)
	return value, known
}

// Unsignalled tells that the service has a property but does not signal its
// changes, so that its value was not taken.
func (f Facts) Unsignalled(property string) bool {
	_, ok := f.values[property].(unsignalled)
	return ok
}

// unsignalled stands in place of a value that nobody would keep true.
type unsignalled struct{}

func (f Facts) equal(g Facts) bool {
	return f.Service == g.Service && f.Owner == g.Owner && f.Problem == g.Problem && maps.Equal(f.values, g.values)
}

// Source names the object that an [Observer] watches, and what it takes from it.
type Source struct {
	// Name is the service's well-known bus name, Label what people call it.
	Name, Label string
	Path        dbus.ObjectPath
	Interface   string
	// Properties maps each property of interest to its D-Bus signature, u or b.
	Properties map[string]string
	// CheckSignals makes the observer leave out a property that the service's
	// introspection data does not promise to signal: it would only ever be as
	// true as it was when it was read.
	CheckSignals bool
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
