package observers

import (
	"fmt"
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
	// announced holds the objects that may be ours, and where they were announced.
	announced map[dbus.ObjectPath]dbus.Sequence
}

// NewFilter returns a filter that knows no object yet, so that any may be ours.
func NewFilter(source Source) *Filter {
	return &Filter{source: source, announced: map[dbus.ObjectPath]dbus.Sequence{}}
}

// Wants reports whether a signal concerns the source.
func (f *Filter) Wants(signal *dbus.Signal) bool {
	for _, farewell := range f.source.Farewells {
		if signal.Name == farewell.Interface+"."+farewell.Member {
			return true
		}
	}
	if path, isAnnounced := f.source.Root.announced(signal); isAnnounced {
		f.announce(path, signal.Sequence)
		return true
	}
	if !f.mayBeOurs(signal) {
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

// mayBeOurs reports whether a signal is about the root, about an object that is ours,
// or about one of which that is not known.
func (f *Filter) mayBeOurs(signal *dbus.Signal) bool {
	if !f.source.Root.isAnnouncedBelow(signal.Path) {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, isNew := f.announced[signal.Path]
	return isNew || f.ours[signal.Path] || f.owner != signal.Sender
}

func (f *Filter) announce(path dbus.ObjectPath, at dbus.Sequence) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.announced) >= mostAnnounced {
		f.owner = "" // rather hear of all objects than miss ours
		clear(f.announced)
	}
	f.announced[path] = at
}

// tell says which of an owner's objects are ours, as of a message. Which were
// announced later is not known yet.
func (f *Filter) tell(owner string, root *object, at dbus.Sequence) {
	ours := map[dbus.ObjectPath]bool{}
	for one := range root.all() {
		ours[one.path] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owner, f.ours = owner, ours
	for path, announced := range f.announced {
		if announced < at {
			delete(f.announced, path)
		}
	}
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
func (k *Kind) isAbove(path dbus.ObjectPath) bool {
	return strings.HasPrefix(string(path), string(k.Path)+"/")
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
