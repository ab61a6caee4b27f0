package bus

import (
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	daemonName       = "org.freedesktop.DBus"
	nameOwnerChanged = daemonName + ".NameOwnerChanged"
)

// router passes signals to the services that sent them, and queues the calls that
// the connection answers. It runs on the connection's reading goroutine, so it
// starts no goroutine and does not grow.
type router struct {
	calls chan *dbus.Message

	mu       sync.Mutex
	services []*Service
	isServed bool // whether calls are answered
}

func newRouter() *router { return &router{calls: make(chan *dbus.Message, waitingCalls)} }

// DeliverSignal implements [dbus.SignalHandler].
//
// Match rules do not keep out forgeries: any local user may send a signal straight
// to this connection's unique name. Only the sender field can be trusted, because
// the bus daemon fills it in.
func (r *router) DeliverSignal(_, _ string, signal *dbus.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.services {
		if signal.Sender == daemonName {
			s.ownerChanged(signal)
		} else {
			s.deliver(signal)
		}
	}
}

// answers reports whether calls are answered.
func (r *router) answers() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.isServed
}

// serves reports whether to decode and answer calls whose arguments have a
// signature. godbus closes the connection over some arguments of other types.
func (r *router) serves(signature string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.isServed && slices.Contains([]string{"", "s", "ss", "ssv"}, signature)
}

// believes reports whether to listen to a sender: the bus daemon, or the present
// owner of a followed service. No call goes to anybody else, so no answer is
// expected from there.
func (r *router) believes(sender string) bool {
	if sender == daemonName {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.services, func(s *Service) bool { return s.isOwner(sender) })
}

// hears reports whether to decode a sender's signals about an object.
func (r *router) hears(sender string, of dbus.ObjectPath) bool {
	if sender == daemonName {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.services, func(s *Service) bool { return s.isOwner(sender) && s.filter.Hears(sender, of) })
}

// lost tells the services of a sender that a signal was lost.
func (r *router) lost(sender string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.services {
		s.lost(sender)
	}
}

func (r *router) add(s *Service) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.services = append(r.services, s)
}
