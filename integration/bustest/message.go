package bustest

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Offsets in the fixed part of a message's header, and its size
// (https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-messages).
const (
	PlaceOfOrder        = 0
	PlaceOfType         = 1
	PlaceOfFlags        = 2
	PlaceOfVersion      = 3
	PlaceOfBodyLength   = 4
	PlaceOfSerial       = 8
	PlaceOfFieldsLength = 12
	FixedHeader         = 16
)

// Size returns the size of a message that begins with a fixed header.
func Size(fixed []byte, order binary.ByteOrder) int {
	fields, body := order.Uint32(fixed[PlaceOfFieldsLength:]), order.Uint32(fixed[PlaceOfBodyLength:])
	return FixedHeader + (int(fields)+7)/8*8 + int(body)
}

// Headers are the fields of a message's header.
type Headers map[dbus.HeaderField]any

// Message encodes a message, whose serial number is 1.
func Message(order binary.ByteOrder, kind dbus.Type, headers Headers, body ...any) []byte {
	signature, content := BodyIn(order, body...)
	message, err := Frame(order, kind, headers, signature, content)
	if err != nil {
		panic(err) // a mistake of the test's own
	}
	return message
}

// Frame encodes a message whose body need not have the form that its signature
// says. The serial number is 1.
func Frame(order binary.ByteOrder, kind dbus.Type, headers Headers, signature string, body []byte) ([]byte, error) {
	m := &dbus.Message{Type: kind, Headers: map[dbus.HeaderField]dbus.Variant{}}
	for field, value := range headers {
		m.Headers[field] = dbus.MakeVariant(value)
	}
	if signature != "" {
		parsed, err := dbus.ParseSignature(signature)
		if err != nil {
			return nil, err
		}
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(parsed)
	}
	var wire bytes.Buffer
	if err := m.EncodeTo(&wire, order); err != nil {
		return nil, err
	}
	order.PutUint32(wire.Bytes()[PlaceOfBodyLength:], uint32(len(body)))
	order.PutUint32(wire.Bytes()[PlaceOfSerial:], 1)
	return append(wire.Bytes(), body...), nil
}

// Body returns the signature and the little-endian encoding of a message's body.
func Body(values ...any) (signature string, body []byte) {
	return BodyIn(binary.LittleEndian, values...)
}

// BodyIn is [Body] in either order of bytes.
func BodyIn(order binary.ByteOrder, values ...any) (signature string, body []byte) {
	parsed := dbus.SignatureOf(values...)
	m := &dbus.Message{Type: dbus.TypeMethodReply, Body: values, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(uint32(1)),
		dbus.FieldSignature:   dbus.MakeVariant(parsed),
	}}
	var wire bytes.Buffer
	if err := m.EncodeTo(&wire, order); err != nil {
		panic(err) // a mistake of the test's own
	}
	length := order.Uint32(wire.Bytes()[PlaceOfBodyLength:])
	return parsed.String(), wire.Bytes()[wire.Len()-int(length):]
}

// Receive decodes a little-endian message with any body, as a connection decodes
// what arrives on the wire. It returns nil for an invalid message, which the
// connection hides from its users. It also returns nil for structures without
// fields: no bus passes them on, and godbus v5.2.4 decodes an array of them for
// ever.
func Receive(kind dbus.Type, headers Headers, signature string, body []byte) *dbus.Message {
	if strings.Contains(signature, "()") || bytes.Contains(body, []byte("()")) {
		return nil
	}
	wire, err := Frame(binary.LittleEndian, kind, headers, signature, body)
	if err != nil {
		return nil
	}
	received, err := dbus.DecodeMessage(bytes.NewReader(wire))
	if err != nil {
		return nil
	}
	return received
}

// ReceiveSignal decodes a signal of any body, as [Receive] does.
func ReceiveSignal(path dbus.ObjectPath, iface, member, signature string, body []byte) *dbus.Signal {
	m := Receive(dbus.TypeSignal, Headers{
		dbus.FieldPath: path, dbus.FieldInterface: iface, dbus.FieldMember: member,
	}, signature, body)
	if m == nil {
		return nil
	}
	return &dbus.Signal{Path: path, Name: iface + "." + member, Body: m.Body}
}

// ReceiveAnswer decodes the answer to a call, as [Receive] does. It is an error if
// errorName is set.
func ReceiveAnswer(errorName, signature string, body []byte) *dbus.Call {
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
