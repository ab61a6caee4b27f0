package observers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	introspectMethod = "org.freedesktop.DBus.Introspectable.Introspect"
	get              = propertiesInterface + ".Get"
	getAll           = propertiesInterface + ".GetAll"

	// readTimeout bounds a call. Services answer within milliseconds; one that is
	// still starting may need seconds.
	readTimeout = 5 * time.Second
	// startTimeout bounds the start of a service, as the bus itself does
	// (dbus-daemon(1), service_start_timeout).
	startTimeout = 25 * time.Second

	// A reading that has failed is tried again after firstRetry, then after twice
	// as long each time, up to lastRetry.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
	// Before the fourth retry a service has had 1.5 s to create its objects;
	// NetworkManager 1.42 was seen to need 0.4 s.
	stillEarly = 8 * firstRetry

	// atATime is how many objects are asked for their properties before the first
	// has answered. A bus daemon refuses calls if too many are unanswered
	// (max_replies_per_connection in dbus-daemon(1), 128 on a system bus).
	atATime = 32
)

// calls are the calls that have not been answered yet, and the pause before the
// next attempt if there is one.
type calls struct {
	pending []call // in the order in which they are answered
	retry   *time.Timer
	isPause bool          // whether the timer is running
	backoff time.Duration // how long the next pause after a failure is
}

// call is a method call and what takes its answer.
type call struct {
	*dbus.Call
	cancel context.CancelFunc
	take   func(context.Context, *dbus.Call)
}

func newCalls() calls {
	retry := time.NewTimer(lastRetry)
	retry.Stop()
	return calls{retry: retry, backoff: firstRetry}
}

// add makes a call that has so much time to be answered.
func (c *calls) add(ctx context.Context, timeout time.Duration, send func(context.Context) *dbus.Call, take func(context.Context, *dbus.Call)) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	c.pending = append(c.pending, call{send(ctx), cancel, take})
}

// answered returns a channel that has the next answer. It is nil, which blocks
// for ever, if none is expected.
func (c *calls) answered() <-chan *dbus.Call {
	if len(c.pending) == 0 {
		return nil
	}
	return c.pending[0].Done
}

// take has an answer taken that has come from the channel.
func (c *calls) take(ctx context.Context, answer *dbus.Call) {
	first := c.pending[0]
	c.pending = c.pending[1:]
	first.cancel()
	first.take(ctx, answer)
}

// areUnderWay reports whether an answer is expected.
func (c *calls) areUnderWay() bool { return len(c.pending) > 0 }

// areBusy reports whether an answer or a pause is to be waited for.
func (c *calls) areBusy() bool { return c.areUnderWay() || c.isPause }

// areFailing reports whether the last attempt has failed.
func (c *calls) areFailing() bool { return c.backoff > firstRetry }

// abandon ends calls and pause. Their answers are never taken.
func (c *calls) abandon() {
	c.retry.Stop()
	c.isPause = false
	for _, one := range c.pending {
		one.cancel()
	}
	c.pending = nil
}

// pause abandons the calls and has the timer fire after some time.
func (c *calls) pause(d time.Duration) {
	c.abandon()
	c.isPause = true
	c.retry.Reset(d)
}

// failed pauses before the next attempt, longer each time.
func (c *calls) failed() {
	c.pause(c.backoff)
	c.backoff = min(2*c.backoff, lastRetry)
}

// succeeded makes the next failure the first.
func (c *calls) succeeded() { c.backoff = firstRetry }

// read begins to read everything, from the root downwards.
func (o *Observer) read(ctx context.Context) {
	if o.owner == "" || o.need == Dormant {
		return
	}
	o.calls.abandon()
	o.polling.queue = nil
	o.root.setDue()
	o.ask(ctx)
}

// ask asks for what can be read next, unless there is something to wait for.
func (o *Observer) ask(ctx context.Context) {
	if o.calls.areBusy() || o.owner == "" || o.need == Dormant {
		return
	}
	due := o.root.due()
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

// askObject asks an object for its properties; before, if that is not known yet,
// for which of them it signals.
func (o *Observer) askObject(ctx context.Context, one *object) {
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

// takeIntrospection takes what an object signals and goes on to its properties.
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

// takeAll takes the properties of an object.
func (o *Observer) takeAll(ctx context.Context, one *object, answer *dbus.Call) {
	all, err := single[map[string]dbus.Variant](answer)
	var picked news
	if err == nil {
		picked, err = one.kind.pick(all)
	}
	isRoot := one == o.root
	if err == nil && isRoot && picked.isEmpty() {
		err = errors.New("it has none of the properties")
	}
	if err != nil {
		o.failed(ctx, one, err)
		return
	}
	if isRoot {
		o.problem = ""
	}
	one.take(picked, answer.ResponseSequence, false)
	one.isKnown, one.isDue = true, false
	o.goOn(ctx)
}

// goOn goes on with what is still to be read. If that is nothing, everything has
// been read.
func (o *Observer) goOn(ctx context.Context) {
	if !o.calls.areUnderWay() && len(o.root.due()) == 0 {
		o.calls.succeeded()
		o.served = o.need
	}
	o.ask(ctx)
}

// failed takes the failure of a call to an object. One that is missing is soon no
// longer named either; any other failure, and one of the root, ends the reading.
func (o *Observer) failed(ctx context.Context, one *object, err error) {
	if one != o.root && isUnknown(err) {
		one.isGone = true
		o.goOn(ctx)
		return
	}
	o.readingFailed(err)
}

// readingFailed tries again later. NetworkManager before 1.44 owns its name
// before its objects exist, so a failure of that kind is no news at first.
func (o *Observer) readingFailed(err error) {
	isEarly := o.calls.backoff <= stillEarly && isUnknown(err)
	o.calls.failed()
	switch {
	case isEarly:
		return
	case o.source.Transient && isUnknown(err):
		o.root.vanish()
		o.problem = ""
		return
	}
	const silence = "does not answer"
	if o.sent.Problem != o.source.Label+" "+silence {
		o.log.Warn(o.source.Label+" "+silence+"; trying again", "error", err)
	}
	if len(o.root.values) == 0 {
		o.fails(silence)
	}
}

// single returns the only value of an answer. dbus.Store would turn a number
// into a string, and panics on types that it has no signature for.
func single[T any](call *dbus.Call) (value T, err error) {
	if call.Err != nil {
		return value, call.Err
	}
	if len(call.Body) != 1 {
		return value, fmt.Errorf("the answer has %d values, not one", len(call.Body))
	}
	value, ok := call.Body[0].(T)
	if !ok {
		return value, fmt.Errorf("the answer is of type %T, not %T", call.Body[0], value)
	}
	return value, nil
}

// isUnknown reports whether an object does not exist, or not yet.
func isUnknown(err error) bool {
	var refusal dbus.Error
	return errors.As(err, &refusal) && slices.Contains([]string{
		"org.freedesktop.DBus.Error.UnknownMethod",
		"org.freedesktop.DBus.Error.UnknownObject",
		"org.freedesktop.DBus.Error.UnknownInterface",
	}, refusal.Name)
}
