package observers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// mostAnnounced bounds how many objects are remembered until it is known whose they
// are.
const mostAnnounced = 1024

// mostNamed bounds how many objects have match rules of their own. A bus daemon refuses
// rules if a connection has too many (max_match_rules_per_connection in dbus-daemon(1),
// 512 on a system bus). Each of the user's sessions has four: for Lock, for Unlock, and for
// the hints that [Session] and [Idleness] read. The rules of as many new sessions are added
// before those of ended ones are removed, so there are at most 256.
const mostNamed = 32

// Filter judges the signals of a source on the goroutine that reads the connection,
// before they are queued. The source's observer tells the filter which of the
// announced objects are ours; signals about the others never reach the queue. Several
// sources may share the service, and a connection receives what any of them has asked
// for.
type Filter struct {
	source Source

	mu    sync.Mutex
	owner string // the owner whose objects are known to be ours or not
	ours  map[dbus.ObjectPath]bool
	// announced holds the objects that may be ours, and whether the question that is
	// under way was asked after they were announced.
	announced map[dbus.ObjectPath]bool
	// hasForgotten reports whether some of the objects that were announced after it
	// were forgotten.
	hasForgotten bool
}

// NewFilter returns a filter that knows no object yet, so that any may be ours.
func NewFilter(source Source) *Filter {
	return &Filter{source: source, announced: map[dbus.ObjectPath]bool{}}
}

// Wants reports whether a signal concerns the source.
func (f *Filter) Wants(signal *dbus.Signal) bool {
	for _, farewell := range f.source.Farewells {
		if signal.Name == farewell.Interface+"."+farewell.Member {
			return true
		}
	}
	if path, isAnnounced := f.source.Root.announced(signal); isAnnounced {
		f.announce(path)
		return true
	}
	if !f.Hears(signal.Sender, signal.Path) {
		return false
	}
	kind := f.source.Root.of(signal)
	return kind != nil && (signal.Name != propertiesChanged || kind.isNews(signal.Body))
}

// Edge returns a key for what a signal says if that cannot be read again later, as with
// Lock, and otherwise "". Of several signals with the same key, only the last counts.
func (f *Filter) Edge(signal *dbus.Signal) string {
	kind := f.source.Root.of(signal)
	if kind == nil {
		return ""
	}
	member := strings.TrimPrefix(signal.Name, kind.Interface+".")
	if kind.Latest != nil {
		if _, isOne := kind.Latest.Signals[member]; isOne {
			return string(signal.Path)
		}
	}
	if slices.Contains(kind.RereadOn, member) {
		return fmt.Sprintf("%s %t", member, isRequest(signal)) // a request counts, also when it is over
	}
	return ""
}

// Hears reports whether a sender's signals about an object may concern the source. An
// announced object may concern it if it is ours, or if that is not known.
func (f *Filter) Hears(sender string, of dbus.ObjectPath) bool {
	if f.source.Root.announcedAt(of) == nil {
		return f.source.mayHear(of)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, isNew := f.announced[of]
	return isNew || f.ours[of] || f.owner != sender
}

func (f *Filter) announce(path dbus.ObjectPath) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.announced) >= mostAnnounced {
		f.owner, f.hasForgotten = "", true // it is better to hear of all objects than to miss ours
		clear(f.announced)
	}
	f.announced[path] = false
}

// asks notes that the observer asks the owner which objects are ours.
func (f *Filter) asks() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hasForgotten = false
	for path := range f.announced {
		f.announced[path] = true
	}
}

// tell says which of an owner's objects are ours, according to the owner's answer. The
// answer says nothing about objects that were announced after the question.
func (f *Filter) tell(owner string, root *object) {
	ours := map[dbus.ObjectPath]bool{}
	for one := range root.all() {
		ours[one.path] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hasForgotten {
		return // the next question will tell
	}
	f.owner, f.ours = owner, ours
	maps.DeleteFunc(f.announced, func(_ dbus.ObjectPath, isAsked bool) bool { return isAsked })
}

// rules returns the match rules for the announced objects of a service with this owner, or
// with none. They cover the changes of ours, and what cannot be read again of those that may
// be ours: the new ones, and all until the owner has told.
func (f *Filter) rules(owner string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var rules []string
	for i := range f.source.Root.Links {
		kind := &f.source.Root.Links[i].Kind
		if f.source.Root.Links[i].AnnouncedBy == nil {
			continue
		}
		for _, place := range kind.places(f.ours) {
			rules = append(rules, kind.changes(f.source.Name, place))
		}
		mayBeOurs := kind.places(f.ours, f.announced)
		if owner == "" || owner != f.owner {
			mayBeOurs = []string{objectsBelow(kind.Path)}
		}
		for _, place := range mayBeOurs {
			rules = append(rules, kind.events(f.source.Name, place)...)
		}
	}
	return rules
}

// places returns where match rules find those of some objects that are of the kind.
func (k *Kind) places(objects ...map[dbus.ObjectPath]bool) []string {
	named := map[string]bool{}
	for _, some := range objects {
		for path := range some {
			if k.isAbove(path) {
				named[objectAt(path)] = true
			}
		}
	}
	if len(named) > mostNamed {
		return []string{objectsBelow(k.Path)}
	}
	return slices.Sorted(maps.Keys(named))
}

// mayHear reports whether a signal of an object may be one of those that the source
// asks for.
func (s Source) mayHear(of dbus.ObjectPath) bool {
	return s.Root.Path == of || s.Root.mayHear(of) || slices.ContainsFunc(s.Farewells, func(farewell Farewell) bool {
		return farewell.From == of || isBelow(farewell.From, of)
	})
}

// mayHear reports whether an object is of a kind that this one links to, or announces
// one.
func (k *Kind) mayHear(of dbus.ObjectPath) bool {
	return slices.ContainsFunc(k.Links, func(link Link) bool {
		return link.Kind.isAbove(of) || link.Kind.mayHear(of) || link.AnnouncedBy != nil && link.AnnouncedBy.Path == of
	})
}

// of returns the kind of the object that a signal is about: this kind, or one that it
// links to. It returns nil if the signal does not matter.
func (k *Kind) of(signal *dbus.Signal) *Kind {
	return k.find(signal, signal.Path == k.Path)
}

// find is like of, if it is known whether the object's path is one of the kind.
func (k *Kind) find(signal *dbus.Signal, isHere bool) *Kind {
	member, isOwn := strings.CutPrefix(signal.Name, k.Interface+".")
	if isHere && (signal.Name == propertiesChanged || isOwn && slices.Contains(k.signals(), member)) {
		return k
	}
	for i := range k.Links {
		linked := &k.Links[i].Kind
		if found := linked.find(signal, linked.isAbove(signal.Path)); found != nil {
			return found
		}
	}
	return nil
}

// isAbove reports whether a path is below that of the kind.
func (k *Kind) isAbove(path dbus.ObjectPath) bool { return isBelow(k.Path, path) }

// isBelow reports whether a path is below another.
func isBelow(above, path dbus.ObjectPath) bool {
	rest, isIn := strings.CutPrefix(string(path), string(above))
	return isIn && strings.HasPrefix(rest, "/")
}

// announced returns the path of the object that a signal announces. It reports whether
// that is of a kind that this one links to.
func (k *Kind) announced(signal *dbus.Signal) (path dbus.ObjectPath, isAnnounced bool) {
	for i := range k.Links {
		link := &k.Links[i]
		if by := link.AnnouncedBy; by == nil || signal.Name != by.Interface+"."+by.Member || signal.Path != by.Path {
			continue
		}
		for _, argument := range signal.Body {
			if path, isPath := argument.(dbus.ObjectPath); isPath && link.Kind.isAbove(path) {
				return path, true
			}
		}
	}
	return "", false
}

// announcedAt returns the kind of an object with such a path, if it is one that is
// announced.
func (k *Kind) announcedAt(path dbus.ObjectPath) *Kind {
	for i := range k.Links {
		if link := &k.Links[i]; link.AnnouncedBy != nil && link.Kind.isAbove(path) {
			return &link.Kind
		}
	}
	return nil
}
