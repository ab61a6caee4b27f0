package fakes

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/godbus/dbus/v5"
)

// bodyLength is the offset of the body's length in a message
// (https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-messages).
const bodyLength = 4

// Headers are the fields of a message's header.
type Headers map[dbus.HeaderField]any

// Receive decodes a little-endian message with any body, as a connection decodes
// what arrives on the wire. It returns nil for an invalid message, which the
// connection hides from its users. It also returns nil for structures without
// fields: no bus passes them on, and godbus v5.2.4 decodes an array of them for
// ever.
func Receive(kind dbus.Type, headers Headers, signature string, body []byte) *dbus.Message {
	sent := message(kind, headers)
	parsed, err := dbus.ParseSignature(signature)
	if err != nil || strings.Contains(signature, "()") || bytes.Contains(body, []byte("()")) {
		return nil
	}
	sent.Headers[dbus.FieldSignature] = dbus.MakeVariant(parsed)
	var wire bytes.Buffer
	if sent.EncodeTo(&wire, binary.LittleEndian) != nil {
		return nil
	}
	binary.LittleEndian.PutUint32(wire.Bytes()[bodyLength:], uint32(len(body)))
	wire.Write(body)
	received, err := dbus.DecodeMessage(&wire)
	if err != nil {
		return nil
	}
	return received
}

// Signal decodes a signal of any body, as [Receive] does.
func Signal(path dbus.ObjectPath, iface, member, signature string, body []byte) *dbus.Signal {
	m := Receive(dbus.TypeSignal, Headers{
		dbus.FieldPath: path, dbus.FieldInterface: iface, dbus.FieldMember: member,
	}, signature, body)
	if m == nil {
		return nil
	}
	return &dbus.Signal{Path: path, Name: iface + "." + member, Body: m.Body}
}

// Answer decodes the answer to a call, as [Receive] does. It is an error if
// errorName is set.
func Answer(errorName, signature string, body []byte) *dbus.Call {
	kind, headers := dbus.TypeMethodReply, Headers{dbus.FieldReplySerial: uint32(1)}
	if errorName != "" {
		kind, headers[dbus.FieldErrorName] = dbus.TypeError, errorName
	}
	m := Receive(kind, headers, signature, body)
	switch {
	case m == nil:
		return nil
	case errorName != "":
		return &dbus.Call{Err: dbus.Error{Name: errorName, Body: m.Body}}
	}
	return &dbus.Call{Body: m.Body}
}

// Encode returns the signature and the wire format of a message's body.
func Encode(values ...any) (signature string, body []byte) {
	m := message(dbus.TypeMethodReply, Headers{dbus.FieldReplySerial: uint32(1)})
	parsed := dbus.SignatureOf(values...)
	m.Headers[dbus.FieldSignature], m.Body = dbus.MakeVariant(parsed), values
	var wire bytes.Buffer
	if err := m.EncodeTo(&wire, binary.LittleEndian); err != nil {
		panic(err) // a mistake of the test's own
	}
	length := binary.LittleEndian.Uint32(wire.Bytes()[bodyLength:])
	return parsed.String(), wire.Bytes()[wire.Len()-int(length):]
}

func message(kind dbus.Type, headers Headers) *dbus.Message {
	m := &dbus.Message{Type: kind, Headers: map[dbus.HeaderField]dbus.Variant{}}
	for field, value := range headers {
		m.Headers[field] = dbus.MakeVariant(value)
	}
	return m
}
