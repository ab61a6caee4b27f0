// Package api serves the bridge on the session bus: its properties, and the
// methods that control it. godbus answers each call on a separate goroutine, which
// passes the work on to the loop's.
package api

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/bridge"
)

const (
	busName             = "org.freedesktop.DBus"
	propertiesInterface = busName + ".Properties"
	introspectable      = busName + ".Introspectable"

	// A bridge that has just ended may still hold the name for a moment.
	nameTries = 5
	namePause = 100 * time.Millisecond
)

// Failure is an error of a [Control] that is not the caller's fault.
type Failure struct{ Err error }

// Error implements error.
func (f Failure) Error() string { return f.Err.Error() }

// Control carries out what a caller on the bus asks of the bridge. Its methods are
// called on the loop's goroutine. An error means wrong arguments, unless it is a
// [Failure].
type Control interface {
	Hold(name, position string) (bridge.Change, error)
	Release(name string) (bridge.Change, error)
}

// API serves the bridge's object on the session bus.
type API struct {
	conn *dbus.Conn

	mu         sync.Mutex
	properties map[string]dbus.Variant
}

// Serve takes the bridge's name on the session bus and answers there. The switches
// are all that exist, including those that this bridge does not keep. Calls go
// into the inbox until the context ends. If the name is taken, the error says who
// holds it.
func Serve(ctx context.Context, conn *bus.Conn, introspection string, switches []string, control Control, inbox bridge.Inbox) (*API, error) {
	a := &API{conn: conn.Conn, properties: map[string]dbus.Variant{
		client.FactsProperty:     dbus.MakeVariant(map[string]string{}),
		client.OverridesProperty: dbus.MakeVariant(map[string]string{}),
	}}
	for _, name := range switches {
		a.properties[client.PropertyOf(name)] = dbus.MakeVariant(client.Off)
	}
	conn.Serve(objects{
		client.Interface:    methods{ctx, control, inbox}.table(),
		propertiesInterface: properties{a}.table(),
		introspectable:      {"Introspect": {call: func([]any) ([]any, error) { return []any{introspection}, nil }}},
	})
	return a, a.takeName(ctx)
}

func (a *API) takeName(ctx context.Context) error {
	for try := 1; ; try++ {
		var reply uint32
		call := a.conn.BusObject().CallWithContext(ctx, busName+".RequestName", 0, client.Name, uint32(dbus.NameFlagDoNotQueue))
		if err := call.Store(&reply); err != nil {
			return fmt.Errorf("cannot take the name %s: %w", client.Name, err)
		}
		switch {
		case dbus.RequestNameReply(reply) != dbus.RequestNameReplyExists:
			return nil
		case try == nameTries:
			return fmt.Errorf("another nm-session-bridge is running: %s holds %s on the session bus; nm-session-bridge status shows what it does; to run this one, stop the other first: systemctl --user stop nm-session-bridge", a.holder(ctx), client.Name)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(namePause):
		}
	}
}

// holder says who holds the name.
func (a *API) holder(ctx context.Context) string {
	var owner string
	if err := a.conn.BusObject().CallWithContext(ctx, busName+".GetNameOwner", 0, client.Name).Store(&owner); err != nil {
		return "somebody"
	}
	var pid uint32
	if err := a.conn.BusObject().CallWithContext(ctx, busName+".GetConnectionUnixProcessID", 0, owner).Store(&pid); err != nil {
		return owner
	}
	return fmt.Sprintf("process %d (%s)", pid, owner)
}

// Publish shows a view on the bus and signals what is new. It signals the changed
// properties once, however many transitions there are. It ignores errors of the
// connection, whose loss the loop notices.
func (a *API) Publish(view bridge.View, transitions []bridge.Transition) {
	if changed := a.news(view); len(changed) > 0 {
		_ = a.conn.Emit(client.Path, propertiesInterface+".PropertiesChanged", client.Interface, changed, []string{})
	}
	for _, t := range transitions {
		_ = a.conn.Emit(client.Path, client.Interface+".Transitioned", t.Switch, t.From, t.To, t.Reason)
	}
}

// news stores a view and returns the properties that have changed.
func (a *API) news(view bridge.View) map[string]dbus.Variant {
	now := map[string]dbus.Variant{
		client.FactsProperty:     dbus.MakeVariant(view.Facts),
		client.OverridesProperty: dbus.MakeVariant(view.Held),
	}
	for name, position := range view.Positions {
		now[client.PropertyOf(name)] = dbus.MakeVariant(position)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(now, func(name string, value dbus.Variant) bool { return same(a.properties[name], value) })
	maps.Copy(a.properties, now)
	return now
}

func same(a, b dbus.Variant) bool {
	words, isMap := a.Value().(map[string]string)
	others, _ := b.Value().(map[string]string)
	if isMap {
		return maps.Equal(words, others)
	}
	return a.Value() == b.Value()
}
