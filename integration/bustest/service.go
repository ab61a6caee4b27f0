package bustest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// Service is a followed service in memory. The test receives every call, answers
// it when it chooses to, and sends every signal, in orders that are rare with a
// real service.
type Service struct {
	// Sent takes the service's signals, one at a time. A signal that was taken may
	// not have been handled yet, but the one before it has.
	Sent chan *dbus.Signal

	called func(*dbus.Call)

	mu    sync.Mutex
	rules []string
}

// NewService returns a service that passes each call on as it is made.
func NewService(called func(*dbus.Call)) *Service {
	return &Service{Sent: make(chan *dbus.Signal), called: called}
}

// Signals delivers the signals that the test sends.
func (s *Service) Signals() <-chan *dbus.Signal { return s.Sent }

// Send sends a signal and waits until it is taken.
func (s *Service) Send(tb testing.TB, signal *dbus.Signal) {
	tb.Helper()
	select {
	case s.Sent <- signal:
	case <-time.After(patience):
		tb.Fatalf("%s was not taken", signal.Name)
	}
}

// Go passes a call on.
func (s *Service) Go(_ context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	call := &dbus.Call{Path: path, Method: method, Args: args, Done: make(chan *dbus.Call, 1)}
	s.called(call)
	return call
}

// Start passes on the call by which a bus is asked for the service.
func (s *Service) Start(ctx context.Context) *dbus.Call {
	return s.Go(ctx, "/org/freedesktop/DBus", "org.freedesktop.DBus.StartServiceByName")
}

// Listen notes that somebody listens to the signals of a match rule.
func (s *Service) Listen(rule string) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, rule)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if i := slices.Index(s.rules, rule); i >= 0 {
			s.rules = slices.Delete(s.rules, i, i+1)
		}
	}
}

// Listening returns the match rules that somebody listens to, in order.
func (s *Service) Listening() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.rules))
}

// Answer ends a call. The sequence is the answer's place among the signals.
func Answer(call *dbus.Call, sequence dbus.Sequence, err error, body ...any) {
	call.Err, call.Body, call.ResponseSequence = err, body, sequence
	call.Done <- call
}

// OwnerChanged is the signal that a name has another owner, or none.
func OwnerChanged(name, owner string) *dbus.Signal {
	return &dbus.Signal{
		Sender: "org.freedesktop.DBus", Path: "/org/freedesktop/DBus", Name: "org.freedesktop.DBus.NameOwnerChanged",
		Body: []any{name, "", owner},
	}
}

// PropertiesChanged is the signal that properties have other values.
func PropertiesChanged(sequence dbus.Sequence, path dbus.ObjectPath, iface string, values map[string]dbus.Variant) *dbus.Signal {
	return &dbus.Signal{
		Path: path, Name: "org.freedesktop.DBus.Properties.PropertiesChanged", Sequence: sequence,
		Body: []any{iface, values, []string{}},
	}
}
