package observers

import (
	"maps"
	"slices"

	"github.com/godbus/dbus/v5"
)

// Facts are what one service was last heard to say about its object. The zero
// value stands for a service that has not been heard yet.
type Facts struct {
	// Source is the ID of the source that the facts come from.
	Source string
	// Path is that of the object.
	Path dbus.ObjectPath
	// Owner is the unique name of the one who said so.
	Owner string
	// Problem says in words why there are no values; it is empty when there are.
	Problem string
	// Awaited tells that the problem is to end soon, one way or the other.
	Awaited bool

	values   map[string]any
	kind     *Kind
	children []Facts  // in the order of their paths
	silent   []string // properties whose changes the service does not signal
	polled   []string // those of them that are read again and again
	served   Need     // what was demanded when they were read
	request  dbus.Sequence
}

// Snapshot holds the latest facts by the ID of their source.
type Snapshot map[string]Facts

// Children returns the facts of the objects that the source names, by path.
func (f Facts) Children() []Facts { return f.children }

// Text returns a property of D-Bus type s and whether it is known.
func (f Facts) Text(property string) (value string, known bool) {
	value, known = f.values[property].(string)
	return value, known
}

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

// Uint64 returns a property of D-Bus type t and whether it is known.
func (f Facts) Uint64(property string) (value uint64, known bool) {
	value, known = f.values[property].(uint64)
	return value, known
}

// Request is the place of the latest request in the stream of messages, 0 if
// there was none.
func (f Facts) Request() dbus.Sequence { return f.request }

// Polled tells whether a property that is not signalled is read again and again
// instead.
func (f Facts) Polled(property string) bool {
	return slices.Contains(f.polled, property)
}

// Satisfies tells whether the facts are what was to be heard for a need, be it a
// problem.
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

// Signalled tells whether a property is kept true by signals. One that is not was
// true when the facts were read.
func (f Facts) Signalled(property string) bool {
	return !slices.Contains(f.silent, property)
}

func (f Facts) equal(g Facts) bool {
	return f.Source == g.Source && f.Path == g.Path && f.Owner == g.Owner && f.Problem == g.Problem && f.Awaited == g.Awaited && f.served == g.served && f.request == g.request &&
		maps.Equal(f.values, g.values) && slices.Equal(f.silent, g.silent) && slices.Equal(f.polled, g.polled) && slices.EqualFunc(f.children, g.children, Facts.equal)
}
