// Package client lets commands use a running bridge over the session bus: they
// read its state, follow its changes, and hold or release its switches.
package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/godbus/dbus/v5"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
)

// ErrNotRunning is the error of a call while no bridge is running.
var ErrNotRunning = errors.New("the bridge is not running")

// State is what a bridge says about itself.
type State struct {
	// Positions are the switches' positions by property: Internet is "online".
	Positions map[string]string
	Facts     map[string]string
	Overrides map[string]string
}

const (
	busName             = "org.freedesktop.DBus"
	propertiesInterface = busName + ".Properties"
)

// Client talks to the bridge on the session bus.
type Client struct{ conn *dbus.Conn }

// New returns a client over a connection to the session bus.
func New(conn *dbus.Conn) Client { return Client{conn} }

// State asks for the whole state. The error is [ErrNotRunning] if nobody owns
// the name.
func (c Client) State(ctx context.Context) (State, error) {
	state, _, err := c.state(ctx)
	return state, err
}

// state also returns the sequence number of the answer.
func (c Client) state(ctx context.Context) (State, dbus.Sequence, error) {
	var all bus.Properties
	answer := c.call(ctx, propertiesInterface+".GetAll", Interface)
	if err := answer.Store(&all); err != nil {
		return State{}, answer.ResponseSequence, explain(err)
	}
	state := State{Positions: map[string]string{}}
	return state, answer.ResponseSequence, state.take(all)
}

// take stores properties.
func (s *State) take(properties bus.Properties) error {
	for name, value := range properties {
		var ok bool
		switch name {
		case FactsProperty:
			s.Facts, ok = bus.Property[map[string]string](properties, name)
		case OverridesProperty:
			s.Overrides, ok = bus.Property[map[string]string](properties, name)
		default:
			s.Positions[name], ok = bus.Property[string](properties, name)
		}
		if !ok {
			return fmt.Errorf("cannot read the property %s of nm-session-bridge: it is a %T", name, value.Value())
		}
	}
	return nil
}

// Hold keeps a switch in a position.
func (c Client) Hold(ctx context.Context, name, position string) error {
	return explain(c.call(ctx, Interface+".Set", name, position).Err)
}

// Release lets a switch follow the facts again.
func (c Client) Release(ctx context.Context, name string) error {
	return explain(c.call(ctx, Interface+".Reset", name).Err)
}

func (c Client) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return c.conn.Object(Name, Path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
}

// explain turns an error of the bus into a message for people.
func explain(err error) error {
	var refusal dbus.Error
	if !errors.As(err, &refusal) {
		return err
	}
	switch strings.TrimPrefix(refusal.Name, busName+".Error.") {
	case "ServiceUnknown", "NameHasNoOwner", "NoReply":
		return ErrNotRunning
	}
	return refusal
}

// Follow calls news with the bridge's present state, then after each change,
// and with [ErrNotRunning] when the bridge ends. It returns when the context
// ends.
func (c Client) Follow(ctx context.Context, news func(State, error)) error {
	signals := make(chan *dbus.Signal, 64)
	c.conn.Signal(signals)
	defer c.conn.RemoveSignal(signals)
	for _, rule := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(Name), dbus.WithMatchObjectPath(Path), dbus.WithMatchInterface(propertiesInterface)},
		{dbus.WithMatchSender(busName), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, Name)},
	} {
		if err := c.conn.AddMatchSignalContext(ctx, rule...); err != nil {
			return fmt.Errorf("cannot follow nm-session-bridge: %w", err)
		}
	}
	for {
		state, answered, err := c.state(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, ErrNotRunning) {
			return err
		}
		news(state.clone(), err)
		if err := c.until(ctx, signals, state, answered, news); err != nil {
			return err
		}
	}
}

// until passes on changes until the owner of the bridge's name changes, or until the state
// must be asked for again: a change that comes before the answer may be newer than the
// state in it, because the bridge reads the state before it sends the answer.
func (c Client) until(ctx context.Context, signals <-chan *dbus.Signal, state State, answered dbus.Sequence, news func(State, error)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case signal, open := <-signals:
			if !open && ctx.Err() != nil {
				return nil // the connection ends with the context
			}
			if !open {
				return errors.New("the session bus is gone")
			}
			if signal.Name == busName+".NameOwnerChanged" {
				return nil
			}
			var iface string
			var changed bus.Properties
			var invalidated []string
			if err := dbus.Store(signal.Body, &iface, &changed, &invalidated); err != nil || state.Positions == nil {
				continue
			}
			if signal.Sequence < answered {
				return nil
			}
			if err := state.take(changed); err != nil {
				return err
			}
			news(state.clone(), nil)
		}
	}
}

func (s State) clone() State {
	return State{maps.Clone(s.Positions), maps.Clone(s.Facts), maps.Clone(s.Overrides)}
}
