package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/bridge"
)

// methods are the methods of the bridge's own interface.
type methods struct {
	ctx     context.Context //nolint:containedctx // the process's: callers bring none
	control Control
	inbox   bridge.Inbox
}

func (m methods) table() table {
	return table{
		"Set": {in: "ss", call: func(args []any) ([]any, error) {
			name, position := args[0].(string), args[1].(string) //nolint:forcetypeassert // as in says
			return nil, m.tell(func() (bridge.Change, error) { return m.control.Hold(name, position) })
		}},
		"Reset": {in: "s", call: func(args []any) ([]any, error) {
			name := args[0].(string) //nolint:forcetypeassert // as in says
			return nil, m.tell(func() (bridge.Change, error) { return m.control.Release(name) })
		}},
	}
}

// tell calls do on the loop's goroutine and waits until its news has been
// published.
func (m methods) tell(do func() (bridge.Change, error)) error {
	done := make(chan error, 1)
	isPosted := m.inbox.Post(m.ctx, func() bridge.Change {
		change, err := do()
		change.Urgent = true
		change.Told = append(change.Told, func() { done <- err })
		return change
	})
	if !isPosted {
		return errStopping()
	}
	err := <-done
	var failed Failure
	switch {
	case errors.As(err, &failed):
		return refusal("Failed", err.Error())
	case err != nil:
		return refusal("InvalidArgs", err.Error())
	}
	return nil
}

func errStopping() error { return refusal("Failed", "nm-session-bridge is stopping") }

func refusal(name, words string) error {
	return dbus.NewError(busName+".Error."+name, []any{words})
}

// properties implement the standard interface of that name
// (https://dbus.freedesktop.org/doc/dbus-specification.html#standard-interfaces-properties).
type properties struct{ api *API }

func (p properties) table() table {
	return table{
		"Get": {in: "ss", call: func(args []any) ([]any, error) {
			value, err := p.get(args[0], args[1])
			return []any{value}, err
		}},
		"GetAll": {in: "s", call: func(args []any) ([]any, error) {
			all, err := p.all(args[0])
			return []any{all}, err
		}},
		"Set": {in: "ssv", call: func(args []any) ([]any, error) {
			return nil, refusal("PropertyReadOnly", fmt.Sprintf("%s is read-only; the method Set of %s holds a switch in a position", args[1], client.Interface))
		}},
	}
}

func (p properties) get(iface, name any) (dbus.Variant, error) {
	all, err := p.all(iface)
	if err != nil {
		return dbus.Variant{}, err
	}
	for known, value := range all {
		if known == name {
			return value, nil
		}
	}
	return dbus.Variant{}, refusal("UnknownProperty", fmt.Sprintf("no property is called %q; there are %s",
		name, strings.Join(slices.Sorted(maps.Keys(all)), ", ")))
}

// all returns the properties of an interface; "" stands for all interfaces.
func (p properties) all(iface any) (map[string]dbus.Variant, error) {
	if iface != client.Interface && iface != "" {
		return nil, refusal("UnknownInterface", fmt.Sprintf("this object has no interface %q with properties, only %s", iface, client.Interface))
	}
	p.api.mu.Lock()
	defer p.api.mu.Unlock()
	return maps.Clone(p.api.properties), nil
}
