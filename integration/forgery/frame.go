// Package forgery sends messages over a bus that no honest client would send.
// It builds frames from bytes, so they may lie about themselves.
package forgery

import (
	"bytes"
	"encoding/binary"

	"github.com/godbus/dbus/v5"
)

// Frame is one message as it goes over the wire.
type Frame struct {
	Bytes []byte
	// FDs is how many file descriptors are attached.
	FDs int
}

// Offsets in the fixed part of a message's header
// (https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-messages).
const (
	placeOfOrder        = 0
	placeOfType         = 1
	placeOfVersion      = 3
	placeOfBodyLength   = 4
	placeOfSerial       = 8
	placeOfFieldsLength = 12
	fixedHeader         = 16
)

// anonymous is the serial number of frames that were given none.
const anonymous = 1

// letter is a message before it is encoded.
type letter struct {
	kind   dbus.Type
	fields map[dbus.HeaderField]any
	body   body
	order  binary.ByteOrder
}

// body is the body of a message. The signature need not be true.
type body struct {
	signature string
	bytes     []byte
	fds       int
}

// frame encodes a message.
func (l letter) frame() Frame {
	headers := map[dbus.HeaderField]dbus.Variant{}
	for field, value := range l.fields {
		headers[field] = dbus.MakeVariant(value)
	}
	if l.body.signature != "" {
		headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.ParseSignatureMust(l.body.signature))
	}
	if l.body.fds > 0 {
		headers[dbus.FieldUnixFDs] = dbus.MakeVariant(uint32(l.body.fds))
	}
	frame := encode(&dbus.Message{Type: l.kind, Headers: headers}, l.order)
	l.order.PutUint32(frame[placeOfBodyLength:], uint32(len(l.body.bytes)))
	l.order.PutUint32(frame[placeOfSerial:], anonymous)
	return Frame{append(frame, l.body.bytes...), l.body.fds}
}

// bodyOf returns an honest body.
func bodyOf(order binary.ByteOrder, values ...any) body {
	if len(values) == 0 {
		return body{}
	}
	signature := dbus.SignatureOf(values...)
	message := &dbus.Message{
		Type: dbus.TypeMethodReply,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldReplySerial: dbus.MakeVariant(uint32(1)),
			dbus.FieldSignature:   dbus.MakeVariant(signature),
		},
		Body: values,
	}
	frame := encode(message, order)
	return body{signature: signature.String(), bytes: frame[len(frame)-int(order.Uint32(frame[placeOfBodyLength:])):]}
}

func encode(message *dbus.Message, order binary.ByteOrder) []byte {
	var frame bytes.Buffer
	if err := message.EncodeTo(&frame, order); err != nil {
		panic(err) // the table is wrong
	}
	return frame.Bytes()
}

func orderOf(frame []byte) binary.ByteOrder {
	if frame[placeOfOrder] == 'B' {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// withSerial returns a copy of the frame with another serial number.
func (f Frame) withSerial(serial uint32) Frame {
	f.Bytes = bytes.Clone(f.Bytes)
	orderOf(f.Bytes).PutUint32(f.Bytes[placeOfSerial:], serial)
	return f
}
