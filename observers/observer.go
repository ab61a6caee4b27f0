// Package observers reads system services. It says which position each switch of the
// machine is in, and why. An [Observer] keeps the [Facts] about the objects of one
// [Source]. The [Reader] of a [Switch] turns a [Snapshot] of facts into a [Reading]. The
// [Damping] of a switch decides when a reading counts.
//
// # Goroutines
//
// Each observer has one goroutine, the one that calls [Observer.Run]. It owns the
// tree of objects, and waits on one select for signals, answers, timers and
// requests. Requests from outside (Demand, Reread) go through channels
// and never wait. Facts leave through the channel that Run is given and are never
// written to afterwards, so any goroutine may read them. Everything else, readers
// and dampers included, belongs to the goroutine that calls it.
package observers

import (
	"context"
	"log/slog"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	nameOwnerChanged = "org.freedesktop.DBus.NameOwnerChanged"

	// farewellTime is how long a service may take to stop after its farewell.
	// NetworkManager takes much less.
	farewellTime = 5 * time.Second

	// notAsked is the problem of a service while nothing needs its facts.
	notAsked = "is not asked"
)

// Service is the D-Bus service that an [Observer] reads.
type Service interface {
	Hearing
	// Go calls a method of the present owner without waiting for the answer.
	Go(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call
}

// Hearing is what an [Observer] hears of a service.
type Hearing interface {
	// Signals delivers, in order, the present owner's signals, and a NameOwnerChanged for
	// each change of owner. A NameOwnerChanged is the first signal. A NameOwnerChanged
	// that names the present owner again means that signals were lost.
	Signals() <-chan *dbus.Signal
	// Listen asks the bus for the signals that a match rule describes until stop is
	// called. Calls made after it are answered after the bus has taken the rule.
	Listen(rule string) (stop func())
}

// Starter starts a service that is not running, by D-Bus activation.
type Starter interface {
	// Start asks for the service without waiting for the answer.
	Start(ctx context.Context) *dbus.Call
}

// Observer keeps the facts of one source. It reads all objects when the service
// gets an owner, on request, and after a signal that made no sense. In between it
// believes the service's signals, and polls the properties that are not
// signalled.
type Observer struct {
	source  Source
	filter  *Filter
	service Service
	starter Starter
	log     *slog.Logger

	// From other goroutines.
	reread chan int
	needs  chan Need

	need      Need
	listening listening // the match rules of the moment
	served    Need      // the need for which everything was last read
	owner     string
	root      *object
	early     early // signals about objects that nobody has named yet
	calls     calls
	isStale   bool // whether to repeat the reading that is under way
	polling   polling
	problem   string // why there are no facts; empty if there are some
	isAwaited bool   // whether the problem will end soon, one way or the other
	isWarned  bool   // whether a signal of this owner that made no sense has been logged
	sent      Facts

	asked, fulfilled int // numbers of requests to read everything again
}

// New returns an observer of the filter's source. The service's signals come through the
// filter. The starter starts the service if the source is on demand. The observer does
// nothing before [Observer.Run].
func New(filter *Filter, service Service, starter Starter, log *slog.Logger) *Observer {
	source := filter.source
	o := &Observer{
		source:    source,
		filter:    filter,
		service:   service,
		starter:   starter,
		log:       log,
		reread:    make(chan int, 1),
		needs:     make(chan Need, 1),
		need:      source.Initially(),
		listening: listening{},
		calls:     newCalls(),
		polling:   newPolling(),
	}
	o.root = newObject(&o.source.Root, source.Root.Path)
	return o
}

// Demand sets how much a running observer has to do. It does not wait, and must
// be called from one goroutine.
func (o *Observer) Demand(need Need) {
	select {
	case <-o.needs: // a newer demand replaces one that was not taken yet
	default:
	}
	o.needs <- need
}

// Reread makes a running observer read everything again. It does not wait, and must
// be called from one goroutine. The facts say when the request with this number, or a
// higher one, has been fulfilled.
func (o *Observer) Reread(number int) {
	select {
	case <-o.reread: // a newer request includes one that was not taken yet
	default:
	}
	o.reread <- number
}

// Run sends the source's facts whenever they have changed, until the context
// ends. It sends the first facts as soon as the service has answered, has failed
// to answer, or is known not to be running.
func (o *Observer) Run(ctx context.Context, out chan<- Facts) {
	defer o.calls.abandon()
	defer o.polling.ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case signal := <-o.service.Signals():
			o.calls.older--
			if !o.signal(ctx, signal) {
				continue
			}
		case answer := <-o.calls.answered(len(o.service.Signals())):
			if o.calls.isEarly(answer, len(o.service.Signals())) {
				continue
			}
			o.calls.take(ctx, answer)
		case <-o.calls.retry.C:
			o.read(ctx)
		case o.asked = <-o.reread:
			o.read(ctx)
		case need := <-o.needs:
			o.demand(ctx, need)
		case <-o.polling.ticker.C:
			o.poll(ctx)
		}
		if !o.calls.areBusy() {
			o.fulfilled = o.asked
		}
		facts, areFit := o.facts()
		if !areFit || facts.equal(o.sent) {
			continue
		}
		select {
		case out <- facts:
			o.sent = facts
		case <-ctx.Done():
			return
		}
	}
}

// facts returns the present facts, and reports whether they are fit to be sent. They are
// not fit while an object is still unknown.
func (o *Observer) facts() (facts Facts, areFit bool) {
	if o.problem != "" {
		return Facts{Source: o.source.ID, Problem: o.problem, Awaited: o.isAwaited, Reread: o.fulfilled}, true
	}
	facts = o.root.facts(o.satisfied())
	facts.Source, facts.Owner, facts.Reread, facts.served = o.source.ID, o.owner, o.fulfilled, o.satisfied()
	return facts, o.root.areKnown()
}

// satisfied returns the need that the facts satisfy.
func (o *Observer) satisfied() Need { return min(o.need, o.served) }

// fails drops the source's facts and records the reason.
func (o *Observer) fails(what string) {
	o.problem, o.isAwaited = o.source.Label+" "+what, false
}

// awaits is like fails with a problem that will end soon.
func (o *Observer) awaits(what string) {
	o.fails(what)
	o.isAwaited = true
}

// signal handles a signal and reports whether it concerns an object that is
// followed.
func (o *Observer) signal(ctx context.Context, signal *dbus.Signal) (isOurs bool) {
	if signal.Name == nameOwnerChanged {
		owner, _ := signal.Body[2].(string)
		o.ownerChanged(ctx, owner)
		return true
	}
	for _, farewell := range o.source.Farewells {
		if farewell.isSaidBy(signal) {
			// This owner's signals no longer count. If it stays after all, it is read once
			// more.
			o.fails("is stopping")
			o.calls.pause(farewellTime)
			return true
		}
	}
	if _, isAnnounced := o.source.Root.announced(signal); isAnnounced {
		o.read(ctx) // the answer says whose it is
		return false
	}
	for one := range o.root.all() {
		if one.path == signal.Path {
			isOurs = true
			o.objectSignal(ctx, one, signal)
		}
	}
	if !isOurs && o.source.Root.isLatestBelow(signal) && o.early.keep(signal) {
		o.read(ctx) // the answer says whose it is
	}
	return isOurs
}

func (o *Observer) objectSignal(ctx context.Context, one *object, signal *dbus.Signal) {
	mustRead, err := one.hear(signal)
	switch {
	case err != nil:
		if !o.isWarned { // more are likely to follow
			o.isWarned = true
			o.log.Warn("reading "+o.source.Label+" again: its PropertiesChanged signal made no sense", "error", err)
		}
		o.read(ctx)
	case mustRead:
		o.read(ctx)
	case o.calls.areFailing() && !o.calls.areUnderWay():
		o.read(ctx) // it did not answer before, but it is alive
	default:
		o.ask(ctx) // the signal may have named new objects
	}
}

func (o *Observer) ownerChanged(ctx context.Context, owner string) {
	if owner == o.owner && owner != "" {
		o.read(ctx) // signals were lost
		return
	}
	o.calls.abandon()
	o.calls.succeeded()
	o.root.disown()
	o.owner, o.served, o.isWarned, o.early = owner, Dormant, false, nil
	o.listen()
	switch {
	case o.need == Dormant:
		o.awaits(notAsked)
	case owner == "":
		o.fails("is not running")
	case o.sent.Source == "":
		o.read(ctx) // it was running before us
	default:
		o.awaits("is starting")
		o.calls.pause(o.source.Settling)
	}
}

// demand begins or stops reading the service.
func (o *Observer) demand(ctx context.Context, need Need) {
	before := o.need
	o.need = need
	o.polling.demand(need)
	o.listen()
	switch {
	case need == Dormant:
		o.calls.abandon()
		o.root.disown()
		o.awaits(notAsked)
	case before == Dormant && o.owner == "" && o.source.Startable:
		o.start(ctx)
	case before == Dormant && o.owner == "":
		o.fails("is not running")
	case before == Dormant, need > Watched: // what is not signalled may have changed
		o.read(ctx)
	}
}

// start starts the service. A signal will name its owner.
func (o *Observer) start(ctx context.Context) {
	o.awaits("is being started")
	o.calls.add(ctx, startTimeout, o.starter.Start, func(_ context.Context, answer *dbus.Call) {
		if answer.Err != nil {
			o.fails("cannot be started: " + answer.Err.Error())
		}
	})
}
