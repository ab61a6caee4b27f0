package observers

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	propertiesInterface = "org.freedesktop.DBus.Properties"
	propertiesChanged   = propertiesInterface + ".PropertiesChanged"
)

// object is one object of a service, as the service last described it. It is the
// root of the tree of objects that it names.
type object struct {
	kind *Kind
	path dbus.ObjectPath

	isKnown bool // whether the present owner of the service has described it
	isDue   bool // whether it is to be read
	isGone  bool // whether it was missing when it was read

	isIntrospected bool
	silent         []string // the properties that the owner does not signal

	values map[string]value
	links  map[string]list // by the property that names the objects
	// requests are the latest signals that are requests, by their names.
	requests map[string]dbus.Sequence
}

// value is a property and the sequence number of its message, because an answer
// may be handled after a newer signal.
type value struct {
	content  any
	sequence dbus.Sequence
}

// list is the objects that a property names, in the order of their paths.
type list struct {
	objects  []*object
	sequence dbus.Sequence
}

func newObject(kind *Kind, path dbus.ObjectPath) *object {
	return &object{kind: kind, path: path, isDue: true, values: map[string]value{}, links: map[string]list{}, requests: map[string]dbus.Sequence{}}
}

// all returns the objects of the tree.
func (o *object) all() iter.Seq[*object] {
	return func(yield func(*object) bool) { o.visit(yield) }
}

func (o *object) visit(yield func(*object) bool) bool {
	if !yield(o) {
		return false
	}
	for _, further := range o.named() {
		if !further.visit(yield) {
			return false
		}
	}
	return true
}

// named returns the objects that this one names, except those that are gone or are
// not followed.
func (o *object) named() []*object {
	var objects []*object
	for i := range o.kind.Links {
		link := &o.kind.Links[i]
		for _, further := range o.links[link.Property].objects {
			if !further.isGone && o.follows(link) {
				objects = append(objects, further)
			}
		}
	}
	return objects
}

// follows reports whether the observer follows the objects of a link.
func (o *object) follows(link *Link) bool {
	return len(link.While) == 0 || slices.ContainsFunc(link.While, func(property string) bool {
		return o.values[property].content == true
	})
}

// areKnown reports whether every object of the tree is known.
func (o *object) areKnown() bool {
	for one := range o.all() {
		if !one.isKnown {
			return false
		}
	}
	return true
}

// due returns the objects that can be read now. An object is read before the
// objects that it names, because it may name others by then.
func (o *object) due() []*object {
	if o.isDue {
		return []*object{o}
	}
	var due []*object
	for _, further := range o.named() {
		due = append(due, further.due()...)
	}
	return due
}

// setDue makes every object of the tree due.
func (o *object) setDue() {
	for one := range o.all() {
		one.isDue = true
	}
}

// disown makes every object unknown, because its service has another owner or is
// no longer listened to. The values of a root end with the owner. The objects that
// it names may outlive the owner, as sessions do; what was last said about them
// counts.
func (o *object) disown() {
	clear(o.values)
	for one := range o.all() {
		one.forgetHint()
		one.isKnown, one.isDue, one.isIntrospected, one.silent = false, true, false, nil
		for property, links := range one.links {
			one.links[property] = list{objects: links.objects}
		}
	}
}

// forgetHint makes the object's hint what a new owner begins with. It is news only if
// somebody tells the new owner otherwise: logind does not save LockedHint.
func (o *object) forgetHint() {
	if latest := o.kind.Latest; latest != nil {
		if hint, isTold := o.values[latest.Property]; isTold {
			o.values[latest.Property] = value{false, hint.sequence}
		}
	}
}

// vanish marks the root as known to be missing.
func (o *object) vanish() {
	clear(o.values)
	clear(o.links)
	o.isKnown = true
}

// hear handles a signal of the object. It reports whether the object must
// therefore be read. The error says why the signal makes no sense.
func (o *object) hear(signal *dbus.Signal) (mustRead bool, err error) {
	if signal.Name == propertiesChanged {
		news, err := o.kind.changed(signal.Body)
		if err != nil {
			return false, err
		}
		o.take(news, signal.Sequence)
		return news.isReason, nil
	}
	member, isOurs := strings.CutPrefix(signal.Name, o.kind.Interface+".")
	if !isOurs {
		return false, nil
	}
	o.hearLatest(member, signal.Sequence)
	if !slices.Contains(o.kind.RereadOn, member) {
		return false, nil
	}
	if isRequest(signal) {
		o.requests[member] = signal.Sequence
	}
	return true, nil
}

// hearLatest handles a signal that reports, or requests, the object's [Latest].
func (o *object) hearLatest(member string, sequence dbus.Sequence) {
	latest := o.kind.Latest
	if latest == nil {
		return
	}
	if content, isOne := latest.Signals[member]; isOne {
		o.values[latest.Name] = value{content, sequence}
	}
	if member == latest.Request {
		o.requests[member] = sequence
	}
}

// isRequest reports whether a signal of [Kind.RereadOn] is a request.
func isRequest(signal *dbus.Signal) bool { return len(signal.Body) == 1 && signal.Body[0] == true }

// take stores the news of a signal or of an answer.
func (o *object) take(news news, sequence dbus.Sequence) {
	for name, content := range news.values {
		o.set(name, content, sequence)
	}
	for i := range o.kind.Links {
		link := &o.kind.Links[i]
		if paths, isNamed := news.paths[link.Property]; isNamed {
			o.name(link, paths, sequence)
		}
		if !o.follows(link) {
			o.forgetObjects(link.Property)
		}
	}
}

// forgetObjects forgets what was said about objects, because the observer no
// longer listens to their signals.
func (o *object) forgetObjects(property string) {
	objects := slices.Clone(o.links[property].objects)
	for i, one := range objects {
		objects[i] = newObject(one.kind, one.path)
	}
	o.links[property] = list{objects, o.links[property].sequence}
}

// set sets a property, unless a newer value is known.
func (o *object) set(name string, content any, sequence dbus.Sequence) {
	before, wasSet := o.values[name]
	if wasSet && before.sequence > sequence {
		return
	}
	o.values[name] = value{content, sequence}
	latest := o.kind.Latest
	if latest != nil && name == latest.Property && wasSet && before.content != content {
		o.values[latest.Name] = value{content, sequence}
	}
}

// name sets the objects that a property names, unless a newer list is known.
// Those that were named before stay as they are; new ones are due.
func (o *object) name(link *Link, paths []dbus.ObjectPath, sequence dbus.Sequence) {
	before := o.links[link.Property]
	if before.sequence > sequence {
		return
	}
	objects := make([]*object, 0, len(paths))
	for _, path := range slices.Compact(slices.Sorted(slices.Values(paths))) {
		i := slices.IndexFunc(before.objects, func(one *object) bool { return one.path == path && !one.isGone })
		if i < 0 {
			objects = append(objects, newObject(&link.Kind, path))
		} else {
			objects = append(objects, before.objects[i])
		}
	}
	o.links[link.Property] = list{objects, sequence}
}

// polled returns the properties that are polled for a need: those that the object
// has but does not signal.
func (o *object) polled(need Need) []string {
	return slices.DeleteFunc(slices.Clone(o.silent), func(name string) bool {
		_, isTold := o.values[name]
		return !isTold || o.kind.PollIfSilent[name] > need
	})
}

// facts returns the facts of the tree when it is polled for a need.
func (o *object) facts(need Need) Facts {
	values := make(map[string]any, len(o.values))
	for name, v := range o.values {
		values[name] = v.content
	}
	facts := Facts{Path: o.path, kind: o.kind, values: values, silent: o.silent, polled: o.polled(need), requests: maps.Clone(o.requests)}
	if latest := o.kind.Latest; latest != nil {
		facts.latest = o.values[latest.Name].sequence
	}
	for _, further := range o.named() {
		facts.children = append(facts.children, further.facts(need))
	}
	return facts
}

// news is what a message says about an object.
type news struct {
	values map[string]any
	paths  map[string][]dbus.ObjectPath // by the property that names them
	// isReason reports whether the message is a reason to read the object.
	isReason bool
}

func (n news) isEmpty() bool { return len(n.values)+len(n.paths) == 0 }

// changed returns the news in the body of a PropertiesChanged signal: interface,
// changed properties, names of invalidated ones
// (https://dbus.freedesktop.org/doc/dbus-specification.html#standard-interfaces-properties).
// A signal about another interface brings none. An invalidated property of
// interest is an error.
func (k *Kind) changed(body []any) (news, error) {
	if len(body) != 3 {
		return news{}, fmt.Errorf("it has %d arguments", len(body))
	}
	iface, isString := body[0].(string)
	changed, isMap := body[1].(map[string]dbus.Variant)
	invalidated, isList := body[2].([]string)
	if !isString || !isMap || !isList {
		return news{}, fmt.Errorf("its arguments are %T, %T and %T", body[0], body[1], body[2])
	}
	if iface != k.Interface {
		return news{}, nil
	}
	for _, name := range invalidated {
		if k.wants(name) {
			return news{}, fmt.Errorf("%s is invalidated", name)
		}
	}
	picked, err := k.pick(changed)
	picked.isReason = slices.ContainsFunc(k.Links, func(link Link) bool {
		_, isChanged := changed[link.SignalledBy]
		return isChanged || slices.Contains(invalidated, link.SignalledBy)
	})
	return picked, err
}

// isNews reports whether the body of a PropertiesChanged signal holds anything of
// interest, or makes no sense.
func (k *Kind) isNews(body []any) bool {
	told, err := k.changed(body)
	return err != nil || told.isReason || !told.isEmpty()
}

// wants reports whether a property is of interest.
func (k *Kind) wants(property string) bool {
	_, isValue := k.Properties[property]
	return isValue || slices.ContainsFunc(k.Links, func(link Link) bool { return link.Property == property })
}

// pick returns the properties of interest. A property of the wrong type is an
// error.
func (k *Kind) pick(all map[string]dbus.Variant) (news, error) {
	picked := news{values: map[string]any{}, paths: map[string][]dbus.ObjectPath{}}
	for name, signature := range k.Properties {
		content, isTold := all[name]
		if !isTold {
			continue
		}
		if got := content.Signature().String(); got != signature {
			return news{}, fmt.Errorf("%s has type %s, not %s", name, got, signature)
		}
		picked.values[name] = nameOrValue(content.Value())
	}
	for _, link := range k.Links {
		content, isTold := all[link.Property]
		if !isTold {
			continue
		}
		paths, isLink := pathsIn(content.Value())
		if !isLink {
			return news{}, fmt.Errorf("%s has type %s", link.Property, content.Signature())
		}
		picked.paths[link.Property] = slices.DeleteFunc(paths, func(path dbus.ObjectPath) bool { return path == "/" })
	}
	return picked, nil
}

// nameOrValue returns the value of a property, or the name in a pair of a name and
// a path.
func nameOrValue(content any) any {
	if pair, isPair := content.([]any); isPair && len(pair) > 0 {
		return pair[0]
	}
	return content
}

// pathsIn returns the paths in the value of a [Link], and reports whether the
// value is one.
func pathsIn(content any) (paths []dbus.ObjectPath, isLink bool) {
	switch content := content.(type) {
	case dbus.ObjectPath:
		return []dbus.ObjectPath{content}, true
	case []dbus.ObjectPath:
		return slices.Clone(content), true
	case []any: // a pair, as it comes over the bus
		if len(content) != 2 {
			return nil, false
		}
		path, isPath := content[1].(dbus.ObjectPath)
		return []dbus.ObjectPath{path}, isPath
	case [][]any:
		for _, pair := range content {
			path, isPair := pathsIn(pair)
			if !isPair {
				return nil, false
			}
			paths = append(paths, path...)
		}
		return paths, true
	}
	return nil, false
}
