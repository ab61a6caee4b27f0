package observers

import (
	"maps"
	"slices"

	"github.com/godbus/dbus/v5"
)

// Facts are what a service last said about an object and about the objects that
// it names. The zero value stands for a service that has not been heard yet.
type Facts struct {
	// Source is the ID of the source that the facts come from.
	Source string
	// Path is the path of the object.
	Path dbus.ObjectPath
	// Owner is the unique bus name of the service that they come from.
	Owner string
	// Problem says in words why there are no values. It is empty if there are.
	Problem string
	// Awaited reports whether the problem will end soon, one way or the other.
	Awaited bool
	// Reread is the number of the latest request to read everything again that has
	// been fulfilled.
	Reread int

	kind     *Kind
	values   map[string]any
	children []Facts                  // in the order of their paths
	silent   []string                 // properties whose changes the service does not signal
	polled   []string                 // those of them that are polled
	served   Need                     // the need for which they were read
	requests map[string]dbus.Sequence // by the name of the signal
	latest   dbus.Sequence
}

// Snapshot holds the latest facts by the ID of their source.
type Snapshot map[string]Facts

// Children returns the facts of the objects that this one names, sorted by path.
func (f Facts) Children() []Facts { return f.children }

// Text returns a property of D-Bus type s, and whether it is known.
func (f Facts) Text(property string) (value string, known bool) {
	value, known = f.values[property].(string)
	return value, known
}

// Uint32 returns a property of D-Bus type u, and whether it is known.
func (f Facts) Uint32(property string) (value uint32, known bool) {
	value, known = f.values[property].(uint32)
	return value, known
}

// Uint64 returns a property of D-Bus type t, and whether it is known.
func (f Facts) Uint64(property string) (value uint64, known bool) {
	value, known = f.values[property].(uint64)
	return value, known
}

// Bool returns a property of D-Bus type b, and whether it is known.
func (f Facts) Bool(property string) (value, known bool) {
	value, known = f.values[property].(bool)
	return value, known
}

// Request returns the sequence number of the latest request that a signal of this
// name made, or 0 if there was none.
func (f Facts) Request(signal string) dbus.Sequence { return f.requests[signal] }

// Latest returns the sequence number of the message that decided the object's
// [Latest], or 0 if none has.
func (f Facts) Latest() dbus.Sequence { return f.latest }

// Signalled reports whether signals keep a property up to date. A property that is
// not signalled was true when the facts were read.
func (f Facts) Signalled(property string) bool {
	return !slices.Contains(f.silent, property)
}

// Polled reports whether a property that is not signalled is polled instead.
func (f Facts) Polled(property string) bool {
	return slices.Contains(f.polled, property)
}

// Satisfies reports whether the facts are everything that the need can yield. This
// is also so if there is a problem that will not end soon.
func (f Facts) Satisfies(need Need) bool {
	switch {
	case f.Source == "":
		return false
	case need == Dormant:
		return true
	case f.Problem != "":
		return !f.Awaited
	}
	return need == Watched || f.served >= need
}

func (f Facts) equal(g Facts) bool {
	return f.Source == g.Source && f.Path == g.Path && f.Owner == g.Owner &&
		f.Problem == g.Problem && f.Awaited == g.Awaited &&
		f.served == g.served && f.Reread == g.Reread && f.latest == g.latest &&
		maps.Equal(f.values, g.values) && maps.Equal(f.requests, g.requests) &&
		slices.Equal(f.silent, g.silent) && slices.Equal(f.polled, g.polled) &&
		slices.EqualFunc(f.children, g.children, Facts.equal)
}
