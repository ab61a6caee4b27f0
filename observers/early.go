package observers

import (
	"maps"
	"strings"

	"github.com/godbus/dbus/v5"
)

// early holds, by path, the last signal that decides the [Latest] of each object
// that nobody has named yet. Nothing else reports it: logind may ask a session to
// lock before the observer has asked for the user's sessions.
type early map[dbus.ObjectPath]*dbus.Signal

// mostEarly bounds how many objects are remembered until it is known whose they are.
const mostEarly = 1024

// keep keeps a signal, and reports whether it is the first of its object.
func (e *early) keep(signal *dbus.Signal) (isFirst bool) {
	if *e == nil {
		*e = early{}
	}
	_, isKnown := (*e)[signal.Path]
	if isKnown || len(*e) < mostEarly {
		(*e)[signal.Path] = signal
	}
	return !isKnown
}

// tell passes on what signals said about the objects of a tree, once a message has
// named them. It forgets what they said about objects of other users.
func (e early) tell(root *object, isOthers func(dbus.ObjectPath) bool) {
	if len(e) == 0 {
		return
	}
	for one := range root.all() {
		signal, isEarly := e[one.path]
		if !isEarly || one == root {
			continue
		}
		if member, isOurs := strings.CutPrefix(signal.Name, one.kind.Interface+"."); isOurs {
			one.hearLatest(member, signal.Sequence)
		}
		delete(e, one.path)
	}
	maps.DeleteFunc(e, func(path dbus.ObjectPath, _ *dbus.Signal) bool { return isOthers(path) })
}

// isLatestBelow reports whether a signal decides the [Latest] of an object of a kind
// that this one links to.
func (k *Kind) isLatestBelow(signal *dbus.Signal) bool {
	for i := range k.Links {
		linked := &k.Links[i].Kind
		member, isOurs := strings.CutPrefix(signal.Name, linked.Interface+".")
		if isOurs && linked.Latest != nil && linked.isAbove(signal.Path) {
			_, decides := linked.Latest.Signals[member]
			return decides
		}
	}
	return false
}
