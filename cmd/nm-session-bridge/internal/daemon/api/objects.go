package api

import (
	"fmt"
	"os"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
)

// objects are the bridge's object, by interface, and the nodes above it. godbus'
// Export looks up methods by reflection, so the linker would keep every method of
// every type: 1.5 MB more in a program of 5 MB.
type objects map[string]table

// table holds methods by name.
type table map[string]method

// method is a method whose arguments are strings and variants.
type method struct {
	in   string
	call func(args []any) ([]any, error)
}

// answer answers a call.
func (o objects) answer(call bus.Call) ([]any, error) {
	if call.Interface == peerInterface {
		return peer().answer(call)
	}
	at, found := o.at(call.Path)
	if !found {
		return nil, refusal("NoSuchObject", fmt.Sprintf("there is no object %s; the bridge's is %s", call.Path, client.Path))
	}
	methods, found := at[call.Interface]
	if call.Interface == "" { // a call need not name one
		methods, found = at[client.Interface]
	}
	if !found {
		return nil, refusal("UnknownInterface", fmt.Sprintf("the object %s has no interface %q", call.Path, call.Interface))
	}
	return methods.answer(call)
}

// at returns what is at a path: the bridge's object, or a node above it.
func (o objects) at(path dbus.ObjectPath) (at objects, found bool) {
	if path == client.Path {
		return o, true
	}
	above := strings.TrimSuffix(string(path), "/") + "/"
	below, isAbove := strings.CutPrefix(string(client.Path), above)
	if !isAbove {
		return nil, false
	}
	child, _, _ := strings.Cut(below, "/")
	data := fmt.Sprintf("<node><node name=%q/></node>", child)
	return objects{introspectable: {"Introspect": {call: func([]any) ([]any, error) { return []any{data}, nil }}}}, true
}

func (t table) answer(call bus.Call) ([]any, error) {
	m, found := t[call.Method]
	switch {
	case !found:
		return nil, refusal("UnknownMethod", fmt.Sprintf("there is no method %q", call.Method))
	case !m.accepts(call.Args):
		return nil, refusal("InvalidArgs", fmt.Sprintf("the arguments do not have the signature %q, or are too large", m.in))
	}
	return m.call(call.Args)
}

// accepts reports whether arguments have the right types. [dbus.SignatureOf]
// would panic on some types that a bus delivers.
func (m method) accepts(args []any) bool {
	if len(args) != len(m.in) {
		return false
	}
	for i, arg := range args {
		var ok bool
		switch m.in[i] {
		case 's':
			_, ok = arg.(string)
		case 'v':
			_, ok = arg.(dbus.Variant)
		}
		if !ok {
			return false
		}
	}
	return true
}

// peer is the interface that every object of every path has
// (https://dbus.freedesktop.org/doc/dbus-specification.html#standard-interfaces-peer).
func peer() table {
	return table{
		"Ping": {call: func([]any) ([]any, error) { return nil, nil }},
		"GetMachineId": {call: func([]any) ([]any, error) {
			id, err := os.ReadFile("/etc/machine-id") // machine-id(5)
			return []any{strings.TrimSpace(string(id))}, err
		}},
	}
}
