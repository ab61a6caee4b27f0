// Package api serves the bridge on the session bus: its properties, and the
// methods that control it. One goroutine answers the calls in order, and passes
// the work on to the loop's.
package api

import (
	"context"
	"maps"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/bridge"
)

const (
	busName             = "org.freedesktop.DBus"
	propertiesInterface = busName + ".Properties"
	introspectable      = busName + ".Introspectable"
	peerInterface       = busName + ".Peer"
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

// API is the bridge's object on the session bus.
type API struct {
	ctx     context.Context //nolint:containedctx // the process's: callers bring none
	conn    *bus.Conn
	objects objects

	publishing sync.Once
	published  chan struct{} // closed once a view has been published

	mu         sync.Mutex
	properties map[string]dbus.Variant
}

// New returns the API of a bridge, which others reach after [API.Claim]. The
// switches are all that exist, including those that this bridge does not keep.
// Calls go into the inbox until the context ends.
func New(ctx context.Context, conn *bus.Conn, introspection string, switches []string, control Control, inbox bridge.Inbox) *API {
	a := &API{ctx: ctx, conn: conn, published: make(chan struct{}), properties: map[string]dbus.Variant{
		client.FactsProperty:     dbus.MakeVariant(map[string]string{}),
		client.OverridesProperty: dbus.MakeVariant(map[string]string{}),
	}}
	for _, name := range switches {
		a.properties[client.PropertyOf(name)] = dbus.MakeVariant(client.Off)
	}
	a.objects = objects{
		client.Interface:    methods{ctx, control, inbox}.table(),
		propertiesInterface: properties{a}.table(),
		introspectable:      {"Introspect": {call: func([]any) ([]any, error) { return []any{introspection}, nil }}},
	}
	return a
}

// answer answers a call once a view has been published. The bridge gets its name
// before the pass of the loop that adopts the targets.
func (a *API) answer(call bus.Call) ([]any, error) {
	select {
	case <-a.published:
		return a.objects.answer(call)
	case <-a.ctx.Done():
		return nil, errStopping()
	}
}

// Publish shows a view on the bus and signals what is new. It signals the changed
// properties once, however many transitions there are. It ignores errors of the
// connection, because the loop notices the loss.
func (a *API) Publish(view bridge.View, transitions []bridge.Transition) {
	defer a.publishing.Do(func() { close(a.published) })
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
