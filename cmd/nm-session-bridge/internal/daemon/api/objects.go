package api

import (
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
)

// objects are the bridge's object and the nodes above it, for godbus. godbus' own
// Export looks methods up by reflection, which makes the linker keep every method
// of every type: 1.5 MB more in a program of 5 MB.
type objects map[string]table

// table holds methods by name.
type table map[string]method

// method is a method whose arguments are strings and variants.
type method struct {
	in   string
	call func(args []any) ([]any, error)
}

// LookupObject implements [dbus.Handler].
func (o objects) LookupObject(path dbus.ObjectPath) (dbus.ServerObject, bool) {
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

// LookupInterface implements [dbus.ServerObject]. A call need not name an
// interface.
func (o objects) LookupInterface(name string) (dbus.Interface, bool) {
	if name == "" {
		name = client.Interface
	}
	methods, found := o[name]
	return methods, found
}

// LookupMethod implements [dbus.Interface].
func (t table) LookupMethod(name string) (dbus.Method, bool) {
	m, found := t[name]
	return m, found
}

// Call implements [dbus.Method].
func (m method) Call(args ...any) ([]any, error) { return m.call(args) }

// DecodeArguments implements [dbus.ArgumentDecoder].
func (m method) DecodeArguments(_ *dbus.Conn, _ string, _ *dbus.Message, args []any) ([]any, error) {
	if !m.accepts(args) {
		return nil, refusal("InvalidArgs", fmt.Sprintf("the arguments do not have the signature %q, or are too large", m.in))
	}
	return args, nil
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

// NumArguments implements [dbus.Method]. Nothing calls it or the methods below.
func (m method) NumArguments() int { return len(m.in) }

// NumReturns implements [dbus.Method].
func (m method) NumReturns() int { return 0 }

// ArgumentValue implements [dbus.Method].
func (m method) ArgumentValue(int) any { return nil }

// ReturnValue implements [dbus.Method].
func (m method) ReturnValue(int) any { return nil }
