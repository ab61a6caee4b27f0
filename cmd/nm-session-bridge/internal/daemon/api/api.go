// Package api is the bridge on the session bus: what it says about itself there,
// and what others can tell it to do. Calls are answered on godbus' goroutines, one
// for each, and passed on to the loop's.
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

// Failure is an error of a [Control] that is not the caller's.
type Failure struct{ Err error }

// Error implements error.
func (f Failure) Error() string { return f.Err.Error() }

// Control is what the bus can tell the bridge to do. Its methods are called on
// the loop's goroutine. An error means wrong arguments, unless it is a [Failure].
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

// Serve takes the bridge's name on the session bus and answers there. The
// switches are all that exist, also those that this bridge does not keep. Until
// the context ends, calls go into the inbox. The error says who holds the name
// already.
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
			return fmt.Errorf("another nm-session-bridge is at work: %s holds %s on the session bus; nm-session-bridge status tells how things stand; to run another, stop it first: systemctl --user stop nm-session-bridge", a.holder(ctx), client.Name)
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

// Publish shows a view on the bus, and signals what is new: the properties once,
// whatever the number of transitions. It ignores errors of the connection, whose
// loss the loop notices.
func (a *API) Publish(view bridge.View, transitions []bridge.Transition) {
	if changed := a.news(view); len(changed) > 0 {
		_ = a.conn.Emit(client.Path, propertiesInterface+".PropertiesChanged", client.Interface, changed, []string{})
	}
	for _, t := range transitions {
		_ = a.conn.Emit(client.Path, client.Interface+".Transitioned", t.Switch, t.From, t.To, t.Reason)
	}
}

// news takes a view in and returns the properties that have changed.
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
