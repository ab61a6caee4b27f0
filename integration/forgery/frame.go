// Package forgery sends messages over a bus that no honest client would send.
// It builds frames from bytes, so they may lie about themselves.
package forgery

import (
	"bytes"
	"encoding/binary"
	"maps"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

// Frame is one message as it goes over the wire.
type Frame struct {
	Bytes []byte
	// FDs is how many file descriptors are attached.
	FDs int
}

// anonymous is the serial number of frames that were given none; see
// [bustest.Frame].
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
	headers := bustest.Headers(maps.Clone(l.fields))
	if l.body.fds > 0 {
		headers[dbus.FieldUnixFDs] = uint32(l.body.fds)
	}
	frame, err := bustest.Frame(l.order, l.kind, headers, l.body.signature, l.body.bytes)
	if err != nil {
		panic(err) // the table is wrong
	}
	return Frame{frame, l.body.fds}
}

// bodyOf returns an honest body.
func bodyOf(order binary.ByteOrder, values ...any) body {
	signature, content := bustest.BodyIn(order, values...)
	return body{signature: signature, bytes: content}
}

func orderOf(frame []byte) binary.ByteOrder {
	if frame[bustest.PlaceOfOrder] == 'B' {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// withSerial returns a copy of the frame with another serial number.
func (f Frame) withSerial(serial uint32) Frame {
	f.Bytes = bytes.Clone(f.Bytes)
	orderOf(f.Bytes).PutUint32(f.Bytes[bustest.PlaceOfSerial:], serial)
	return f
}
