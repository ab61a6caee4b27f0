package observers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	propertiesInterface = "org.freedesktop.DBus.Properties"
	propertiesChanged   = propertiesInterface + ".PropertiesChanged"
	introspect          = "org.freedesktop.DBus.Introspectable.Introspect"
	nameOwnerChanged    = "org.freedesktop.DBus.NameOwnerChanged"

	// readTimeout bounds one reading of a service's properties. Services answer
	// within milliseconds; one that is still starting may need seconds.
	readTimeout = 5 * time.Second
	// A failed reading is tried again after firstRetry, then after twice as
	// long each time, up to lastRetry.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
	// With the pause before the fourth retry a service has had 1.5 s to bring
	// its objects about; NetworkManager 1.42 was seen to need 0.4 s.
	stillEarly = 8 * firstRetry
	// A service that has said farewell is gone well within this time.
	farewellTime = 5 * time.Second
	// startTimeout bounds the start of a service, as the bus itself does
	// (dbus-daemon(1), service_start_timeout).
	startTimeout = 25 * time.Second
)

// Service is the followed D-Bus service that an [Observer] reads.
type Service interface {
	// Signals delivers in order what the present owner signals, and each
	// change of owner as a NameOwnerChanged signal; the first to arrive is one.
	// One that names the present owner again says that signals were lost.
	Signals() <-chan *dbus.Signal
	// Go sends a method call to the present owner without waiting for the answer.
	Go(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call
}

// Observer keeps the facts of one source. It reads them when the service gets
// an owner, when it is told to, and when a signal made no sense; in between it
// believes the service's signals.
type Observer struct {
	source  Source
	service Service
	log     *slog.Logger
	reread  chan struct{}
	needs   chan Need
	forget  chan struct{}
	starter Starter

	need       Need
	owner      string
	leaving    bool // whether this owner has said farewell
	complained bool // whether nonsense of this owner has been logged
	values     map[string]value
	children   children
	named      dbus.Sequence // of the message that named the children
	checked    bool          // whether source.Doubtful is known for this owner
	silent     []string      // properties that this owner does not signal
	asked      []question    // what is under way, in the order of the answers
	cancel     context.CancelFunc
	retry      *time.Timer
	poll       *time.Ticker
	turn       int      // of polling, since it was demanded
	polling    []string // silent properties that are still to be read in this turn
	polled     []string // those that are read again and again
	served     Need     // what was demanded when everything was last read
	backoff    time.Duration
	sent       Facts
}

// question is a call and what takes its answer.
type question struct {
	call *dbus.Call
	take taker
}

// taker takes the answer of a call and tells whether there are new facts.
type taker func(context.Context, *dbus.Call) (Facts, bool)

// Starter starts a service that does not run, by D-Bus activation.
type Starter interface {
	// Start asks for the service without waiting for the answer.
	Start(ctx context.Context) *dbus.Call
}

// value is a property with the place in the stream of messages where it was
// heard: an answer may be handled after a signal that is newer.
type value struct {
	content  any
	sequence dbus.Sequence
}

// New returns an observer of a source, which starts the service of a source on
// demand with the starter. It does nothing until [Observer.Run].
func New(source Source, service Service, starter Starter, log *slog.Logger) *Observer {
	return &Observer{
		source:   source,
		service:  service,
		starter:  starter,
		log:      log,
		reread:   make(chan struct{}, 1),
		needs:    make(chan Need, 1),
		forget:   make(chan struct{}, 1),
		need:     source.Initially(),
		values:   map[string]value{},
		children: children{},
		cancel:   func() {},
		backoff:  firstRetry,
	}
}

// Forget makes a running observer forget what signals have said last, where the
// source has such a thing. It does not wait.
func (o *Observer) Forget() {
	select {
	case o.forget <- struct{}{}:
	default:
	}
}

// Demand tells a running observer how much it is to do from now on. It does not
// wait, and is to be called from one goroutine.
func (o *Observer) Demand(need Need) {
	select {
	case <-o.needs: // a newer demand takes the place of one not taken yet
	default:
	}
	o.needs <- need
}

// Reread makes a running observer read its properties anew. It does not wait.
func (o *Observer) Reread() {
	select {
	case o.reread <- struct{}{}:
	default:
	}
}

// Run sends the source's facts whenever they have changed, until the context
// ends. The first facts are sent as soon as the service has answered, has
// failed to, or turned out not to run.
func (o *Observer) Run(ctx context.Context, out chan<- Facts) {
	o.retry = time.NewTimer(0)
	o.retry.Stop()
	o.poll = time.NewTicker(OftenInterval)
	o.poll.Stop()
	defer func() { o.retry.Stop(); o.poll.Stop(); o.cancel() }()
	for {
		var facts Facts
		var news bool
		select {
		case <-ctx.Done():
			return
		case signal := <-o.service.Signals():
			facts, news = o.signal(ctx, signal)
		case call := <-o.answer():
			take := o.asked[0].take
			o.asked = o.asked[1:]
			if !o.isReading() {
				o.cancel()
			}
			facts, news = take(ctx, call)
		case <-o.retry.C:
			o.startReading(ctx)
		case <-o.reread:
			o.startReading(ctx)
		case need := <-o.needs:
			facts, news = o.demanded(ctx, need)
		case <-o.forget:
			facts, news = o.forgotten()
		case <-o.poll.C:
			o.startPolling(ctx)
		}
		if !news || facts.equal(o.sent) {
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

func (o *Observer) signal(ctx context.Context, signal *dbus.Signal) (Facts, bool) {
	if signal.Name == nameOwnerChanged {
		return o.ownerChanged(ctx, signal)
	}
	for _, farewell := range o.source.Farewells {
		if farewell.isSaidBy(signal) {
			return o.farewell(), true
		}
	}
	if _, isChild := o.children[signal.Path]; isChild {
		return o.childSignal(ctx, signal)
	}
	if signal.Path != o.source.Path {
		return Facts{}, false
	}
	switch signal.Name {
	case propertiesChanged:
		return o.propertiesChanged(ctx, signal)
	case o.source.Interface + "." + o.source.Turns:
		o.startReading(ctx)
	}
	return Facts{}, false
}

func (o *Observer) ownerChanged(ctx context.Context, signal *dbus.Signal) (Facts, bool) {
	owner, _ := signal.Body[2].(string)
	if owner == o.owner && owner != "" {
		o.startReading(ctx) // signals were lost
		return Facts{}, false
	}
	o.stopReading()
	o.backoff = firstRetry
	o.checked = len(o.source.Doubtful) == 0
	o.silent, o.polled, o.served = nil, nil, Dormant
	o.leaving, o.complained = false, false
	clear(o.values)
	o.named = 0
	o.children.toBeRead() // a session outlives its logind, and what was said last of it counts
	o.owner = owner
	switch {
	case o.need == Dormant:
		return o.awaited("is not asked"), true
	case owner == "":
		return o.trouble("is not running"), true
	case o.sent.Source == "":
		// It ran before we did.
		o.startReading(ctx)
		return Facts{}, false
	}
	o.retry.Reset(o.source.Settling)
	return o.awaited("is starting"), true
}

// farewell stops believing what this owner signals. It is asked once more in
// case it stays after all.
func (o *Observer) farewell() Facts {
	o.stopReading()
	o.leaving = true
	o.retry.Reset(farewellTime)
	return o.trouble("is stopping")
}

// propertiesChanged takes the news in. It waits with passing them on while the
// other properties have not been read yet.
func (o *Observer) propertiesChanged(ctx context.Context, signal *dbus.Signal) (Facts, bool) {
	changed, named, err := o.decode(signal.Body)
	if err != nil {
		o.nonsense(ctx, err)
		return Facts{}, false
	}
	if named != nil && o.source.Children.Premature {
		o.startReading(ctx)
		return Facts{}, false
	}
	for name, content := range changed {
		o.set(name, content, signal.Sequence)
	}
	if named != nil {
		o.name(ctx, named, signal.Sequence)
	}
	if o.backoff > firstRetry && !o.isReading() {
		o.startReading(ctx) // it did not answer, but now it lives
	}
	return o.facts(), (len(changed) > 0 || named != nil) && o.isBelieved()
}

// isBelieved tells whether news of the service are to be passed on: after all
// of it has been read, and until it says farewell.
func (o *Observer) isBelieved() bool {
	return !o.leaving && o.sent.Problem == "" && o.sent.Source != "" && o.children.areRead()
}

// nonsense reads everything anew after a signal that cannot be understood.
func (o *Observer) nonsense(ctx context.Context, err error) {
	if !o.complained { // one that talks nonsense does so often
		o.complained = true
		o.log.Warn("reading "+o.source.Label+" anew: its PropertiesChanged signal made no sense", "error", err)
	}
	o.startReading(ctx)
}

// decode returns the properties of interest in a PropertiesChanged body, and
// the children that it names if it does.
func (o *Observer) decode(body []any) (picked map[string]any, named []dbus.ObjectPath, err error) {
	changed, err := changedProperties(body, o.source.Interface, o.source.Properties)
	if err != nil || changed == nil {
		return nil, nil, err
	}
	return o.pick(changed)
}

// pick returns the properties of interest among all, and the children that they
// name if they do, with their types checked.
func (o *Observer) pick(all map[string]dbus.Variant) (picked map[string]any, named []dbus.ObjectPath, err error) {
	picked, err = pick(all, o.source.Properties)
	if err == nil && o.source.Children != nil {
		named, err = o.source.Children.named(all)
	}
	return picked, named, err
}

// changedProperties returns the changed properties of a PropertiesChanged body,
// which is interface, changed properties, names of invalidated ones
// (https://dbus.freedesktop.org/doc/dbus-specification.html#standard-interfaces-properties);
// nil where it is about another interface. It is an error if one of interest is
// invalidated.
func changedProperties(body []any, of string, interest map[string]string) (map[string]dbus.Variant, error) {
	if len(body) != 3 {
		return nil, fmt.Errorf("it has %d arguments", len(body))
	}
	iface, isString := body[0].(string)
	changed, isMap := body[1].(map[string]dbus.Variant)
	invalidated, isList := body[2].([]string)
	if !isString || !isMap || !isList {
		return nil, fmt.Errorf("its arguments are %T, %T and %T", body[0], body[1], body[2])
	}
	if iface != of {
		return nil, nil
	}
	for _, name := range invalidated {
		if _, ours := interest[name]; ours {
			return nil, fmt.Errorf("%s is invalidated", name)
		}
	}
	return changed, nil
}

// pick returns the properties of interest among all, with their types checked.
func pick(all map[string]dbus.Variant, interest map[string]string) (map[string]any, error) {
	picked := map[string]any{}
	for name, signature := range interest {
		v, ok := all[name]
		if !ok {
			continue
		}
		if got := v.Signature().String(); got != signature {
			return nil, fmt.Errorf("%s has type %s, not %s", name, got, signature)
		}
		picked[name] = v.Value()
	}
	return picked, nil
}

func (o *Observer) set(name string, content any, sequence dbus.Sequence) {
	if known, ok := o.values[name]; ok && known.sequence > sequence {
		return
	}
	o.values[name] = value{content, sequence}
}

// demanded begins or ends to read the service.
func (o *Observer) demanded(ctx context.Context, need Need) (Facts, bool) {
	before := o.need
	o.need, o.turn, o.polled, o.served = need, 0, nil, Dormant
	o.poll.Stop()
	if interval := need.interval(); interval > 0 {
		o.poll.Reset(interval)
	}
	switch {
	case need == Dormant:
		o.stopReading()
		clear(o.values)
		return o.awaited("is not asked"), true
	case before == Dormant && o.owner == "":
		return o.start(ctx)
	case before == Dormant:
		o.startReading(ctx)
		return Facts{}, false
	case need > Watched:
		o.startReading(ctx) // what was not signalled may have changed meanwhile
		return Facts{}, false
	}
	return o.facts(), len(o.values) > 0 && o.sent.Problem == "" && o.children.areRead()
}

// start starts the service; its owner is told by a signal.
func (o *Observer) start(ctx context.Context) (Facts, bool) {
	ctx, o.cancel = context.WithTimeout(ctx, startTimeout)
	o.asked = []question{{o.starter.Start(ctx), func(_ context.Context, call *dbus.Call) (Facts, bool) {
		if call.Err != nil {
			return o.trouble("cannot be started: " + call.Err.Error()), true
		}
		return Facts{}, false
	}}}
	return o.awaited("is being started"), true
}

func (o *Observer) startReading(ctx context.Context) {
	if o.owner == "" || o.need == Dormant {
		return
	}
	o.children.toBeRead()
	if o.checked {
		o.ask(ctx, o.takeAll, propertiesInterface+".GetAll", o.source.Interface)
	} else {
		o.ask(ctx, o.takeIntrospection, introspect)
	}
}

// startPolling reads what is not signalled, each property at its interval, unless
// more is being read already, or is to be because that has failed.
func (o *Observer) startPolling(ctx context.Context) {
	o.turn++
	if !o.isReading() && o.backoff == firstRetry && o.checked && o.sent.Problem == "" {
		o.polling = slices.DeleteFunc(slices.Clone(o.polled), func(name string) bool {
			return o.turn%int(o.source.Doubtful[name].interval()/o.need.interval()) != 0
		})
		o.pollNext(ctx)
	}
}

func (o *Observer) pollNext(ctx context.Context) {
	if len(o.polling) > 0 {
		o.ask(ctx, o.takePolled, propertiesInterface+".Get", o.source.Interface, o.polling[0])
	}
}

// ask calls a method of the object and has the answer taken.
func (o *Observer) ask(ctx context.Context, take taker, method string, args ...any) {
	o.stopReading()
	ctx, o.cancel = context.WithTimeout(ctx, readTimeout)
	o.asked = []question{{o.service.Go(ctx, o.source.Path, method, args...), take}}
}

func (o *Observer) stopReading() {
	o.retry.Stop()
	o.cancel()
	o.asked = nil
}

func (o *Observer) isReading() bool { return len(o.asked) > 0 }

// answer is the channel of the next answer; nil blocks for ever.
func (o *Observer) answer() <-chan *dbus.Call {
	if !o.isReading() {
		return nil
	}
	return o.asked[0].call.Done
}

func (o *Observer) takeAll(ctx context.Context, call *dbus.Call) (Facts, bool) {
	all, err := single[map[string]dbus.Variant](call)
	var picked map[string]any
	var named []dbus.ObjectPath
	if err == nil {
		picked, named, err = o.pick(all)
	}
	if err == nil && len(picked) == 0 && named == nil {
		err = errors.New("it has none of the properties")
	}
	if err != nil {
		return o.readingFailed(err)
	}
	o.backoff = firstRetry
	o.leaving, o.served = false, o.need
	o.polled = slices.DeleteFunc(slices.Clone(o.silent), func(name string) bool {
		_, isTold := picked[name]
		return !isTold || o.source.Doubtful[name] > o.need
	})
	for name, content := range picked {
		o.set(name, content, call.ResponseSequence)
	}
	if named != nil {
		o.name(ctx, named, call.ResponseSequence)
	}
	return o.facts(), o.children.areRead()
}

// takePolled takes a property that is not signalled.
func (o *Observer) takePolled(ctx context.Context, call *dbus.Call) (Facts, bool) {
	name := o.polling[0]
	content, err := single[dbus.Variant](call)
	var picked map[string]any
	if err == nil {
		picked, err = pick(map[string]dbus.Variant{name: content}, o.source.Properties)
	}
	if err != nil {
		return o.readingFailed(err)
	}
	o.set(name, picked[name], call.ResponseSequence)
	o.polling = o.polling[1:]
	o.pollNext(ctx)
	return o.facts(), true
}

// takeIntrospection finds out what the service signals, then reads everything.
func (o *Observer) takeIntrospection(ctx context.Context, call *dbus.Call) (Facts, bool) {
	data, err := single[string](call)
	var emits map[string]string
	if err == nil {
		emits, err = EmitsChangedSignal(data, o.source.Interface)
	}
	if err != nil {
		return o.readingFailed(err)
	}
	o.silent = nil
	for _, name := range slices.Sorted(maps.Keys(o.source.Doubtful)) {
		if emits[name] != "true" {
			o.silent = append(o.silent, name)
		}
	}
	o.checked = true
	o.startReading(ctx)
	return Facts{}, false
}

// single returns the one value of an answer. dbus.Store would turn a number
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

// readingFailed tries again later. NetworkManager before 1.44 owns its name
// before its objects exist, so failures of that kind are no news at first.
func (o *Observer) readingFailed(err error) (Facts, bool) {
	early := o.backoff <= stillEarly && isUnknown(err)
	o.retry.Reset(o.backoff)
	o.backoff = min(2*o.backoff, lastRetry)
	switch {
	case early:
		return Facts{}, false
	case o.source.Transient && isUnknown(err):
		clear(o.values)
		clear(o.children)
		return o.facts(), true
	}
	facts := o.trouble("does not answer")
	if !facts.equal(o.sent) {
		o.log.Warn(o.source.Label+" does not answer; trying again", "error", err)
	}
	return facts, len(o.values) == 0
}

func isUnknown(err error) bool {
	var refusal dbus.Error
	return errors.As(err, &refusal) && slices.Contains([]string{
		"org.freedesktop.DBus.Error.UnknownMethod",
		"org.freedesktop.DBus.Error.UnknownObject",
		"org.freedesktop.DBus.Error.UnknownInterface",
	}, refusal.Name)
}

func (o *Observer) facts() Facts {
	values := make(map[string]any, len(o.values))
	for name, v := range o.values {
		values[name] = v.content
	}
	return Facts{
		Source: o.source.ID, Path: o.source.Path, Owner: o.owner, values: values,
		children: o.children.facts(), silent: o.silent, polled: o.polled, served: o.served,
	}
}

// awaited is a trouble that is to end soon.
func (o *Observer) awaited(what string) Facts {
	facts := o.trouble(what)
	facts.Awaited = true
	return facts
}

func (o *Observer) trouble(what string) Facts {
	return Facts{Source: o.source.ID, Problem: o.source.Label + " " + what}
}
