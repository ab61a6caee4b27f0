package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	systemd        = "org.freedesktop.systemd1"
	systemdPath    = dbus.ObjectPath("/org/freedesktop/systemd1")
	systemdManager = systemd + ".Manager"
	properties     = "org.freedesktop.DBus.Properties"
)

// witness hears on the session bus when jobs end. One witness serves all
// contenders.
type witness struct {
	conn *dbus.Conn

	mu     sync.Mutex
	awaits map[string]chan int64 // by unit
}

func newWitness(ctx context.Context, sb *sandbox.Sandbox) (*witness, error) {
	w := &witness{awaits: map[string]chan int64{}}
	var err error
	w.conn, err = sb.ConnectSessionBusWith(ctx, w)
	if err != nil {
		return nil, err
	}
	err = w.conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(systemd), dbus.WithMatchObjectPath(systemdPath),
		dbus.WithMatchInterface(systemdManager), dbus.WithMatchMember("JobRemoved"))
	if err == nil {
		err = w.conn.Object(systemd, systemdPath).CallWithContext(ctx, systemdManager+".Subscribe", 0).Err
	}
	return w, err
}

// DeliverSignal handles one signal, on the goroutine that reads the connection.
func (w *witness) DeliverSignal(_, _ string, signal *dbus.Signal) {
	at := now()
	if signal.Name != systemdManager+".JobRemoved" || len(signal.Body) != 4 {
		return
	}
	unit, _ := signal.Body[2].(string)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ended := w.awaits[unit]; ended != nil && signal.Body[3] == "done" {
		delete(w.awaits, unit)
		ended <- at
	}
}

// await returns a function that waits for the end of a unit's next job. Call
// await before the job is requested.
func (w *witness) await(unit string) (ended func(context.Context) (int64, error)) {
	at := make(chan int64, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.awaits[unit] = at
	return func(ctx context.Context) (int64, error) {
		select {
		case t := <-at:
			return t, nil
		case <-ctx.Done():
			return 0, fmt.Errorf("no job of %s has ended: %w", unit, ctx.Err())
		}
	}
}

// tap records when messages of a bus arrive.
type tap struct {
	conn     *dbus.Conn
	messages chan *dbus.Message
	seen     chan stamp
}

// stamp is a message and the time at which it was seen.
type stamp struct {
	*dbus.Message
	at int64
}

// newTap taps a connection. From then on the connection hears no answers to its
// own calls.
func newTap(conn *dbus.Conn) *tap {
	t := &tap{conn: conn, messages: make(chan *dbus.Message, 1024), seen: make(chan stamp, 1024)}
	conn.Eavesdrop(t.messages)
	go func() {
		for {
			select {
			case m := <-t.messages:
				t.seen <- stamp{m, now()}
			case <-conn.Context().Done():
				return
			}
		}
	}()
	return t
}

// next returns the next message that is wanted.
func (t *tap) next(ctx context.Context, wanted func(*dbus.Message) bool) (stamp, error) {
	for {
		select {
		case s := <-t.seen:
			if wanted(s.Message) {
				return s, nil
			}
		case <-ctx.Done():
			return stamp{}, fmt.Errorf("a message was not seen: %w", ctx.Err())
		}
	}
}

func (t *tap) close() {
	// Close would close the channel that the connection still writes to.
	t.conn.Eavesdrop(nil)
	t.conn.Close()
}
