package observers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/godbus/dbus/v5"
)

// atATime is how many children are asked for their properties before the first
// has answered. A bus daemon refuses calls when too many are not answered
// (max_replies_per_connection in dbus-daemon(1), 128 on a system bus).
const atATime = 32

// children are the further objects of a source, by path.
type children map[dbus.ObjectPath]*child

type child struct {
	values map[string]value
	read   bool // whether they have been since they were last to be
	// request is the place of the latest request in the stream of messages.
	request dbus.Sequence
}

// areRead tells whether none is left to be read.
func (c children) areRead() bool {
	for _, one := range c {
		if !one.read {
			return false
		}
	}
	return true
}

// toBeRead has all of them read.
func (c children) toBeRead() {
	for _, one := range c {
		one.read = false
	}
}

func (c children) facts() []Facts {
	var facts []Facts
	for _, path := range slices.Sorted(maps.Keys(c)) {
		values := make(map[string]any, len(c[path].values))
		for name, v := range c[path].values {
			values[name] = v.content
		}
		facts = append(facts, Facts{Path: path, values: values, request: c[path].request})
	}
	return facts
}

// signals returns the names of the signals that a child is heard for, besides
// PropertiesChanged.
func (c *Children) signals() []string {
	if c.Latest == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(c.Latest.Signals))
}

// named returns the paths that properties name; nil where the property that
// does is not among them.
func (c *Children) named(all map[string]dbus.Variant) ([]dbus.ObjectPath, error) {
	property, told := all[c.Property]
	if !told {
		return nil, nil
	}
	named := []dbus.ObjectPath{}
	switch content := property.Value().(type) {
	case []dbus.ObjectPath:
		named = append(named, content...)
	case []any: // a structure
		if len(content) != 2 {
			return nil, fmt.Errorf("%s has type %s", c.Property, property.Signature())
		}
		path, isPath := content[1].(dbus.ObjectPath)
		if !isPath {
			return nil, fmt.Errorf("%s has type %s", c.Property, property.Signature())
		}
		if path != "/" {
			named = append(named, path)
		}
	default:
		return nil, fmt.Errorf("%s has type %s", c.Property, property.Signature())
	}
	return named, nil
}

// name takes the paths of the children that there are, unless they were told
// later already, and reads new ones.
func (o *Observer) name(ctx context.Context, named []dbus.ObjectPath, sequence dbus.Sequence) {
	if sequence >= o.named {
		o.named = sequence
		maps.DeleteFunc(o.children, func(path dbus.ObjectPath, _ *child) bool { return !slices.Contains(named, path) })
		for _, path := range named {
			if o.children[path] == nil {
				o.children[path] = &child{values: map[string]value{}}
			}
		}
	}
	if !o.isReading() {
		o.readChildren(ctx)
	}
}

// readChildren reads children that are to be read, if there are any. Nothing
// else must be under way; a reading of everything may be about to begin.
func (o *Observer) readChildren(ctx context.Context) {
	ctx, o.cancel = context.WithTimeout(ctx, readTimeout)
	for _, path := range slices.Sorted(maps.Keys(o.children)) {
		one := o.children[path]
		if one.read || len(o.asked) == atATime {
			continue
		}
		take := func(ctx context.Context, call *dbus.Call) (Facts, bool) { return o.takeChild(ctx, path, one, call) }
		call := o.service.Go(ctx, path, propertiesInterface+".GetAll", o.source.Children.Interface)
		o.asked = append(o.asked, question{call, take})
	}
	if !o.isReading() {
		o.cancel()
	}
}

// takeChild takes the properties of a child. One that is gone is soon no longer
// named either.
func (o *Observer) takeChild(ctx context.Context, path dbus.ObjectPath, one *child, call *dbus.Call) (Facts, bool) {
	all, err := single[map[string]dbus.Variant](call)
	var picked map[string]any
	if err == nil {
		picked, err = pick(all, o.source.Children.Properties)
	}
	switch {
	case err != nil && isUnknown(err):
		if o.children[path] == one {
			delete(o.children, path)
		}
	case err != nil:
		o.stopReading()
		return o.readingFailed(err)
	}
	one.read = true
	for name, content := range picked {
		o.setOf(one, name, content, call.ResponseSequence)
	}
	switch {
	case o.isReading():
	case !o.children.areRead():
		o.readChildren(ctx)
	default:
		return o.facts(), !o.leaving
	}
	return Facts{}, false
}

// childSignal takes a signal of a child.
func (o *Observer) childSignal(ctx context.Context, signal *dbus.Signal) (Facts, bool) {
	kind, one := o.source.Children, o.children[signal.Path]
	if signal.Name == propertiesChanged {
		changed, err := changedProperties(signal.Body, kind.Interface, kind.Properties)
		var picked map[string]any
		if err == nil {
			picked, err = pick(changed, kind.Properties)
		}
		if err != nil {
			o.nonsense(ctx, err)
			return Facts{}, false
		}
		for name, content := range picked {
			o.setOf(one, name, content, signal.Sequence)
		}
		return o.facts(), len(picked) > 0 && o.isBelieved()
	}
	for _, name := range kind.signals() {
		if signal.Name == kind.Interface+"."+name {
			one.values[kind.Latest.Name] = value{kind.Latest.Signals[name], signal.Sequence}
			if name == kind.Latest.Request {
				one.request = signal.Sequence
			}
			return o.facts(), o.isBelieved()
		}
	}
	return Facts{}, false
}

// setOf sets a property of a child, unless it was told later already.
func (o *Observer) setOf(one *child, name string, content any, sequence dbus.Sequence) {
	known, isKnown := one.values[name]
	if isKnown && known.sequence > sequence {
		return
	}
	one.values[name] = value{content, sequence}
	latest := o.source.Children.Latest
	if latest != nil && name == latest.Property && isKnown && known.content != content {
		one.values[latest.Name] = value{content, sequence}
	}
}

// forgotten forgets what signals have said last.
func (o *Observer) forgotten() (Facts, bool) {
	if o.source.Children == nil || o.source.Children.Latest == nil {
		return Facts{}, false
	}
	for _, one := range o.children {
		delete(one.values, o.source.Children.Latest.Name)
	}
	return o.facts(), o.isBelieved()
}
