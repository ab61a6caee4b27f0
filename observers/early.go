package observers

import (
	"maps"
	"strings"

	"github.com/godbus/dbus/v5"
)

// early holds the last of the signals of each object that decide its [Latest], for
// objects that nobody has named yet, by path. Nothing else tells it: a session may
// be asked to lock before its user has been asked for their sessions.
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

// tell passes on what was said of the objects of a tree once a message has named
// them. It forgets what was said of those that are another user's.
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
