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

// Filter judges the signals of a source on the goroutine that reads the connection,
// before they are queued. Of the objects that are announced, the source's observer
// tells it which are ours; what is said of the others never reaches the queue. The
// service may be that of several sources, and a connection gets what any of them has
// asked for.
type Filter struct {
	source Source

	mu    sync.Mutex
	owner string // which of its objects are ours is known
	ours  map[dbus.ObjectPath]bool
	// announced holds the objects that may be ours, and whether the question that is
	// under way was asked after they were announced.
	announced map[dbus.ObjectPath]bool
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

// Edge says what news of a signal cannot be read again, or returns "". Of signals
// with the same news, the last counts.
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

// Hears reports whether anything that a sender signals of an object may concern the
// source. Of objects that are announced, those do that are ours, and those of which
// that is not known.
func (f *Filter) Hears(sender string, of dbus.ObjectPath) bool {
	if !f.source.Root.isAnnouncedBelow(of) {
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
		f.owner = "" // rather hear of all objects than miss ours
		clear(f.announced)
	}
	f.announced[path] = false
}

// asks notes that the owner is asked which objects are ours.
func (f *Filter) asks() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for path := range f.announced {
		f.announced[path] = true
	}
}

// tell says which of an owner's objects are ours, as the owner has answered. That does
// not tell whose those are that were announced after the question.
func (f *Filter) tell(owner string, root *object) {
	ours := map[dbus.ObjectPath]bool{}
	for one := range root.all() {
		ours[one.path] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owner, f.ours = owner, ours
	maps.DeleteFunc(f.announced, func(_ dbus.ObjectPath, isAsked bool) bool { return isAsked })
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

// of returns the kind of the object that a signal is about, among the kind and those
// that it links to; nil if the signal is none that matters.
func (k *Kind) of(signal *dbus.Signal) *Kind {
	return k.find(signal, signal.Path == k.Path)
}

// find is like of, where it is known whether the object's path is one of the kind.
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

// announced returns the path of the object that a signal announces, and whether it
// announces one of a kind that this one links to.
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

// isAnnouncedBelow reports whether objects with such a path are announced.
func (k *Kind) isAnnouncedBelow(path dbus.ObjectPath) bool {
	return slices.ContainsFunc(k.Links, func(link Link) bool { return link.AnnouncedBy != nil && link.Kind.isAbove(path) })
}
