package observers

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/godbus/dbus/v5"
)

const (
	introspectMethod = "org.freedesktop.DBus.Introspectable.Introspect"
	get              = propertiesInterface + ".Get"
	getAll           = propertiesInterface + ".GetAll"

	// atATime is how many objects are asked for their properties before the first
	// has answered. A bus daemon refuses calls if too many are unanswered
	// (max_replies_per_connection in dbus-daemon(1), 128 on a system bus).
	atATime = 32
)

// read begins to read everything, from the root downwards. A reading that is under
// way continues, and is repeated afterwards, so that it ends however often
// something requests another. It listens before it asks, so that it misses nothing that
// happens after the answer.
func (o *Observer) read(ctx context.Context) {
	o.listen()
	if o.owner == "" || o.need == Dormant {
		return
	}
	o.isStale = o.calls.areUnderWay()
	if o.isStale {
		return
	}
	o.calls.abandon() // a pause
	o.polling.queue = nil
	o.root.setDue()
	o.ask(ctx)
}

// ask requests everything that can be read next, unless it must wait for an answer
// or a pause.
func (o *Observer) ask(ctx context.Context) {
	if o.calls.areBusy() || o.owner == "" || o.need == Dormant {
		return
	}
	due := o.root.due()
	if len(due) == 0 && o.isStale {
		o.read(ctx)
		return
	}
	for _, one := range due[:min(len(due), atATime)] {
		o.askObject(ctx, one)
	}
	if len(due) == 0 && len(o.polling.queue) > 0 {
		next := o.polling.queue[0]
		o.polling.queue = o.polling.queue[1:]
		o.call(ctx, next.of, func(ctx context.Context, answer *dbus.Call) { o.takePolled(ctx, next, answer) },
			get, next.of.kind.Interface, next.name)
	}
}

// askObject asks an object for its properties. If it is not known yet which of
// them the object signals, it asks that first.
func (o *Observer) askObject(ctx context.Context, one *object) {
	if one == o.root {
		o.filter.asks()
	}
	if one.isIntrospected || len(one.kind.PollIfSilent) == 0 {
		o.call(ctx, one, func(ctx context.Context, answer *dbus.Call) { o.takeAll(ctx, one, answer) },
			getAll, one.kind.Interface)
		return
	}
	o.call(ctx, one, func(ctx context.Context, answer *dbus.Call) { o.takeIntrospection(ctx, one, answer) }, introspectMethod)
}

func (o *Observer) call(ctx context.Context, of *object, take func(context.Context, *dbus.Call), method string, args ...any) {
	o.calls.add(ctx, readTimeout, func(ctx context.Context) *dbus.Call {
		return o.service.Go(ctx, of.path, method, args...)
	}, take)
}

// takeIntrospection handles an object's introspection data, which name the
// properties that it signals, and then asks for its properties.
func (o *Observer) takeIntrospection(ctx context.Context, one *object, answer *dbus.Call) {
	data, err := single[string](answer)
	var emits map[string]string
	if err == nil {
		emits, err = EmitsChangedSignal(data, one.kind.Interface)
	}
	if err != nil {
		o.failed(ctx, one, err)
		return
	}
	one.isIntrospected = true
	one.silent = slices.DeleteFunc(slices.Sorted(maps.Keys(one.kind.PollIfSilent)), func(name string) bool {
		return emits[name] == "true"
	})
	o.askObject(ctx, one)
}

// takeAll handles an answer with the properties of an object.
func (o *Observer) takeAll(ctx context.Context, one *object, answer *dbus.Call) {
	all, err := single[map[string]dbus.Variant](answer)
	var picked news
	if err == nil {
		picked, err = one.kind.pick(all)
	}
	isRoot := one == o.root
	if err == nil && isRoot && picked.isEmpty() {
		err = errors.New("it has none of the expected properties")
	}
	if err != nil {
		o.failed(ctx, one, err)
		return
	}
	one.take(picked, answer.ResponseSequence)
	if isRoot {
		o.problem = ""
		o.tellApart()
	}
	one.isKnown, one.isDue = true, false
	o.goOn(ctx)
}

// tellApart tells the filter which objects are ours, once an answer has named
// them.
func (o *Observer) tellApart() {
	o.filter.tell(o.owner, o.root)
	o.listen() // before they are asked
	o.early.tell(o.root, func(path dbus.ObjectPath) bool { return !o.filter.Hears(o.owner, path) })
}

// goOn requests whatever is still unread, or notes that everything has been read.
func (o *Observer) goOn(ctx context.Context) {
	if !o.calls.areUnderWay() && len(o.root.due()) == 0 {
		o.calls.succeeded()
		if !o.isStale { // otherwise it may have begun before the present need
			o.served = o.need
		}
	}
	o.ask(ctx)
}
