package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	// backlog is how many signals of one service may wait to be handled. The followed
	// objects send a few at a time. If more wait, reading the objects again is cheaper
	// than catching up.
	backlog = 64
	// mostEdges is how many more signals may wait because their news cannot be read
	// again: one signal of each of a user's sessions, and two about sleep.
	mostEdges = 1024
)

// Filter judges the signals of a service before they are queued. Its methods are
// called on the goroutine that reads the connection, and must not block.
type Filter interface {
	// Hears reports whether any of a sender's signals about an object may be wanted.
	// Other signals are not even decoded.
	Hears(sender string, of dbus.ObjectPath) bool
	// Wants reports whether to deliver a signal.
	Wants(signal *dbus.Signal) bool
	// Edge returns a key for what a signal says if that cannot be read again later, and
	// otherwise "". Of several signals with the same key, the last is delivered,
	// however many signals wait.
	Edge(signal *dbus.Signal) string
}

// Everything is a filter that lets all signals through.
type Everything struct{}

// Hears implements [Filter].
func (Everything) Hears(string, dbus.ObjectPath) bool { return true }

// Wants implements [Filter].
func (Everything) Wants(*dbus.Signal) bool { return true }

// Edge implements [Filter].
func (Everything) Edge(*dbus.Signal) string { return "" }

// ErrNoOwner is the error of a call to a service that nobody provides at present.
var ErrNoOwner = errors.New("nobody owns the name")

// Service is a well-known bus name whose owner is followed.
type Service struct {
	conn    *Conn
	name    string
	filter  Filter
	signals chan *dbus.Signal

	mu        sync.Mutex
	owner     string // unique name; "" while there is none
	announced bool   // whether the bus has named an owner yet
}

// Follow begins to follow the owner of a well-known name and asks the bus for the
// signals that the match rules describe. The filter picks what is delivered of all
// that arrives, also for other rules of the connection. The first signal is always a
// NameOwnerChanged that names the present owner.
func (c *Conn) Follow(ctx context.Context, name string, filter Filter, rules ...string) (*Service, error) {
	s := newService(c, name, filter)
	c.router.add(s)
	const owners = "type='signal',sender='" + daemonName + "',interface='" + daemonName + "',member='NameOwnerChanged',arg0='%s'"
	var asked []*dbus.Call
	ask := func(method, argument string) {
		asked = append(asked, c.BusObject().GoWithContext(ctx, daemonName+"."+method, 0, make(chan *dbus.Call, 1), argument))
	}
	// Nothing waits for an answer before all is sent: the bus answers in order.
	for _, rule := range append([]string{fmt.Sprintf(owners, name)}, rules...) {
		ask("AddMatch", rule)
	}
	ask("GetNameOwner", name)
	last := len(asked) - 1
	for _, call := range asked[:last] {
		if err := (<-call.Done).Err; err != nil {
			return nil, fmt.Errorf("cannot follow %s: %w", name, err)
		}
	}
	call := <-asked[last].Done
	var owner string
	err := call.Store(&owner)
	var refusal dbus.Error
	if errors.As(err, &refusal) && refusal.Name == daemonName+".Error.NameHasNoOwner" {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot follow %s: %w", name, err)
	}
	s.announce(owner, call.ResponseSequence)
	return s, nil
}

func newService(c *Conn, name string, filter Filter) *Service {
	return &Service{conn: c, name: name, filter: filter, signals: make(chan *dbus.Signal, backlog+1+mostEdges)}
}

// announce handles the answer to GetNameOwner, unless the bus has named a newer
// owner since.
func (s *Service) announce(owner string, sequence dbus.Sequence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.announced {
		return
	}
	s.setOwner(owner)
	s.push(s.announcement(sequence))
}

// announcement returns the signal by which the bus daemon names the present owner.
func (s *Service) announcement(sequence dbus.Sequence) *dbus.Signal {
	return &dbus.Signal{
		Sender:   daemonName,
		Name:     nameOwnerChanged,
		Body:     []any{s.name, "", s.owner},
		Sequence: sequence,
	}
}

// ownerChanged handles a signal that the bus daemon itself sent.
func (s *Service) ownerChanged(signal *dbus.Signal) {
	if signal.Name != nameOwnerChanged || len(signal.Body) != 3 {
		return
	}
	name, _ := signal.Body[0].(string)
	owner, ok := signal.Body[2].(string)
	if name != s.name || !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setOwner(owner)
	s.push(signal)
}

// setOwner is called with mu held.
func (s *Service) setOwner(owner string) {
	s.announced, s.owner = true, owner
}

// deliver handles a signal that a client of the bus sent. It ignores a client's
// NameOwnerChanged: only the bus daemon is believed about owners.
func (s *Service) deliver(signal *dbus.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == "" || signal.Sender != s.owner || signal.Name == nameOwnerChanged || !s.filter.Wants(signal) {
		return
	}
	s.push(signal)
}

func (s *Service) isOwner(sender string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner != "" && sender == s.owner
}

// lost announces that a signal was lost, if the sender is the present owner.
func (s *Service) lost(sender string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != "" && sender == s.owner {
		s.push(s.announcement(0))
	}
}

// push queues a signal. If there is no room, it replaces all waiting signals by a
// NameOwnerChanged that names the present owner again, so that the owner's state is
// read again, and by the latest signals whose news cannot be read again.
func (s *Service) push(signal *dbus.Signal) {
	if len(s.signals) < backlog {
		s.signals <- signal // all senders hold mu, so there is room
		return
	}
	var waiting []*dbus.Signal
	for isMore := true; isMore; {
		select {
		case one := <-s.signals:
			waiting = append(waiting, one)
		default:
			isMore = false
		}
	}
	s.signals <- s.announcement(signal.Sequence)
	for _, edge := range s.edges(append(waiting, signal)) {
		s.signals <- edge
	}
}

// edges returns the latest signals whose news cannot be read again, in their order.
func (s *Service) edges(signals []*dbus.Signal) []*dbus.Signal {
	var last []*dbus.Signal
	isKept := map[string]bool{"": true}
	for _, signal := range slices.Backward(signals) {
		news := s.filter.Edge(signal)
		if !isKept[news] && len(last) < mostEdges {
			isKept[news] = true
			last = append(last, signal)
		}
	}
	slices.Reverse(last)
	return last
}

// Signals delivers, in the order of the bus, the present owner's signals and the bus
// daemon's NameOwnerChanged for each change of owner. A NameOwnerChanged that names
// the present owner again means that signals were lost. The lost signals whose news
// cannot be read again follow it.
func (s *Service) Signals() <-chan *dbus.Signal {
	return s.signals
}

// Go sends a method call to the present owner and returns without waiting; the
// answer arrives on the call's Done channel. Calls reach the owner in the order
// in which they were made. Without an owner the call fails with [ErrNoOwner]; the
// service is never activated.
func (s *Service) Go(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	s.mu.Lock()
	owner := s.owner
	s.mu.Unlock()
	if owner == "" {
		call := &dbus.Call{Err: ErrNoOwner, Done: make(chan *dbus.Call, 1)}
		call.Done <- call
		return call
	}
	return s.conn.Object(owner, path).GoWithContext(ctx, method, dbus.FlagNoAutoStart, make(chan *dbus.Call, 1), args...)
}

// Start asks the bus to activate the service, without waiting for the answer.
// [Service.Signals] then delivers its owner.
func (s *Service) Start(ctx context.Context) *dbus.Call {
	return s.conn.BusObject().GoWithContext(ctx, daemonName+".StartServiceByName", 0, make(chan *dbus.Call, 1), s.name, uint32(0))
}

// Listen asks the bus for the signals that a match rule describes until stop is
// called. Neither waits. Calls made after Listen are answered after the bus has
// taken the rule.
func (s *Service) Listen(rule string) (stop func()) {
	tell := func(method string) {
		s.conn.BusObject().Go(daemonName+"."+method, dbus.FlagNoReplyExpected, nil, rule)
	}
	tell("AddMatch")
	return func() { tell("RemoveMatch") }
}
