package observers

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

// Source is a system service and the tree of its objects that an [Observer]
// follows.
type Source struct {
	// ID is the key of the source in a [Snapshot].
	ID string
	// Name is the service's well-known bus name. Label is what people call it.
	Name, Label string
	// Root is the object that is read first. It names the others.
	Root Kind
	// Transient says that the root may be missing without that being a problem.
	Transient bool
	// OnDemand makes the observer wait until it is asked to read.
	OnDemand bool
	// Startable makes the observer then start the service if it is not running.
	Startable bool
	// Settling is how long the source is left alone after its service has started,
	// because until then it reports wrong values.
	Settling time.Duration
	// Farewells, if the service has some, announce that it is about to stop.
	Farewells []Farewell
}

// Kind says where the objects of one kind are and what is read of them.
type Kind struct {
	// Path is the path of a root. The paths of all other kinds are below it.
	Path      dbus.ObjectPath
	Interface string
	// Properties maps each property of interest to its D-Bus signature: u, t, b, s
	// or (so), a name and a path, of which the name is kept.
	Properties map[string]string
	// Words turn the values of properties of type u into words.
	Words map[string]func(uint32) string
	// PollIfSilent names properties that only some versions of the service signal, as
	// the introspection data shows. A property that is not signalled is polled if the
	// need is at least this.
	PollIfSilent map[string]Need
	// RereadOn names signals of the interface after which everything is read again. A
	// signal whose only argument is true is a request.
	RereadOn []string
	// Latest, if set, is a value that the object's signals determine.
	Latest *Latest
	// Links are the properties that name further objects.
	Links []Link
}

// Link is a property that names further objects, as a user names their sessions.
// Its type is a path or an array of paths (o, ao), or of pairs of a name and a
// path ((so), a(so)). The path / stands for none.
type Link struct {
	Property string
	// SignalledBy, if set, names a property whose signals are a reason to read this
	// one, which has no signals.
	SignalledBy string
	// AnnouncedBy, if set, names the signal that announces an object before any other
	// signal about it. Other users have such objects, too; signals about theirs are
	// not heard.
	AnnouncedBy *Announcement
	// While, if set, names properties of type b. The objects are followed only while
	// one of them is true.
	While []string
	// Kind is the kind of the objects.
	Kind Kind
}

// Announcement is a signal that has the path of a new object as an argument.
type Announcement struct {
	Path              dbus.ObjectPath
	Interface, Member string
}

// Latest is a value of type b. The latest of the signals and changes of the property
// decides it. Before the first, it is unknown.
type Latest struct {
	Name     string
	Signals  map[string]bool
	Property string
	// Request, if set, is the one of Signals that requests something each time it
	// comes, even if it changes nothing.
	Request string
}

// Farewell is a signal by which a service announces its own end. What it says
// afterwards is about that end, not about the machine.
type Farewell struct {
	Interface, Member string
	// From is the path of the object that sends it, or of one above.
	From dbus.ObjectPath
	// Body holds the signal's arguments. An argument that is nil here may be anything.
	Body []any
}

// isSaidBy reports whether a signal of the service is the farewell.
func (f Farewell) isSaidBy(signal *dbus.Signal) bool {
	if signal.Name != f.Interface+"."+f.Member || len(signal.Body) != len(f.Body) ||
		signal.Path != f.From && !isBelow(f.From, signal.Path) {
		return false
	}
	for i, want := range f.Body {
		if want != nil && signal.Body[i] != want {
			return false
		}
	}
	return true
}

// rule returns a match rule for the farewell.
func (f Farewell) rule(sender string) string {
	rule := matchRule(sender, objectsBelow(f.From), f.Interface, f.Member)
	for i, want := range f.Body {
		if path, isPath := want.(dbus.ObjectPath); isPath {
			rule += fmt.Sprintf(",arg%dpath='%s'", i, path)
		}
	}
	return rule
}

// Matches returns the match rules for the source's signals, unless it is on demand.
// In that case, its observer adds the rules while there is a need. The rules for
// announced objects always come from the observer.
func (s Source) Matches() []string {
	if s.OnDemand {
		return nil
	}
	return s.rules()
}

// rules returns the match rules for the source's signals. They name sender, path
// and interface, so that nothing else of the service wakes us.
func (s Source) rules() []string {
	rules := s.Root.rules(s.Name, objectAt(s.Root.Path))
	for _, farewell := range s.Farewells {
		rules = append(rules, farewell.rule(s.Name))
	}
	return rules
}

// rules returns the match rules for objects of the kind in a place, and for the objects that
// they link to. [Filter.rules] returns those for announced objects.
func (k *Kind) rules(sender, place string) []string {
	rules := append(k.events(sender, place), k.changes(sender, place))
	for i := range k.Links {
		linked, by := &k.Links[i].Kind, k.Links[i].AnnouncedBy
		if by != nil {
			rules = append(rules, matchRule(sender, objectAt(by.Path), by.Interface, by.Member))
		} else {
			rules = append(rules, linked.rules(sender, objectsBelow(linked.Path))...)
		}
	}
	return rules
}

// changes returns the match rule for changes of properties of objects of the kind.
func (k *Kind) changes(sender, place string) string {
	return matchRule(sender, place, propertiesInterface, "PropertiesChanged") + ",arg0='" + k.Interface + "'"
}

// events returns the match rules for the signals of the kind's own interface.
func (k *Kind) events(sender, place string) []string {
	var rules []string
	for _, member := range k.signals() {
		rules = append(rules, matchRule(sender, place, k.Interface, member))
	}
	return rules
}

// matchRule returns a match rule
// (https://dbus.freedesktop.org/doc/dbus-specification.html#message-bus-routing-match-rules).
// The place is that of an object, or of all objects below a path.
func matchRule(sender, place, iface, member string) string {
	return fmt.Sprintf("type='signal',sender='%s',%s,interface='%s',member='%s'", sender, place, iface, member)
}

// objectAt is the place of an object in a match rule.
func objectAt(path dbus.ObjectPath) string { return fmt.Sprintf("path='%s'", path) }

// objectsBelow is the place of all objects below a path in a match rule.
func objectsBelow(path dbus.ObjectPath) string { return fmt.Sprintf("path_namespace='%s'", path) }

// signals returns the names of the signals of the interface that matter.
func (k *Kind) signals() []string {
	members := slices.Clone(k.RereadOn)
	if k.Latest != nil {
		members = append(members, slices.Sorted(maps.Keys(k.Latest.Signals))...)
	}
	return members
}

// Initially returns how much of the source is observed without a demand.
func (s Source) Initially() Need {
	if s.OnDemand {
		return Dormant
	}
	return Watched
}
