package bus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/godbus/dbus/v5"
)

const (
	// The fixed part of a message's header: byte order, type, flags, version,
	// length of the body, serial, length of the array of header fields
	// (https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-messages).
	fixedHeader = 16

	// largestFields bounds the header fields: a path, an interface, a member,
	// two names and a signature, of at most 255 bytes each but for the path.
	largestFields = 4 << 10
	// largestSignal bounds what a service tells unasked. NetworkManager's
	// longest signal lists its connections at some 60 bytes each.
	largestSignal = 64 << 10
	// largestReply bounds an answer. The user manager's list of jobs takes some
	// 250 bytes for each.
	largestReply = 4 << 20
)

// frames passes a connection's messages on, one frame at a time, and leaves out
// those that are not to be decoded: what is too large, and signals of strangers.
// godbus closes the connection over some messages that a bus delivers, and any
// local user may send one straight to this connection.
type frames struct {
	in *bufio.Reader
	// believes tells whether signals of a sender are to be heard.
	believes func(sender string) bool
	// dropped is told of a believed sender's signal that was too large.
	dropped func(sender string)

	begun   bool   // whether authentication is over, and messages follow
	pending []byte // what has been read of the present frame's header
	body    int64  // how much of its body is still to come
}

// Read implements [io.Reader]. It never reads past the end of a message, so
// that each is judged only when those before it have been dealt with.
func (f *frames) Read(p []byte) (int, error) {
	if !f.begun || len(p) == 0 {
		return f.in.Read(p)
	}
	for len(f.pending) == 0 && f.body == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	if len(f.pending) > 0 {
		n := copy(p, f.pending)
		f.pending = f.pending[n:]
		return n, nil
	}
	n, err := f.in.Read(p[:min(int64(len(p)), f.body)])
	f.body -= int64(n)
	return n, err
}

// next reads the header of the next message, and skips the message if it is not
// to be decoded.
func (f *frames) next() error {
	fixed, err := f.in.Peek(fixedHeader)
	if err != nil {
		return err
	}
	order, ok := byteOrder(fixed[0])
	if !ok {
		return errors.New("the bus sent something that is no D-Bus message")
	}
	kind := dbus.Type(fixed[1])
	body := int64(order.Uint32(fixed[4:]))
	fields := int64(order.Uint32(fixed[12:]))
	header := fixedHeader + (fields+7)/8*8
	if fields > largestFields {
		return f.skip(header + body)
	}
	whole := make([]byte, header)
	if _, err := io.ReadFull(f.in, whole); err != nil {
		return err
	}
	isReply := kind == dbus.TypeMethodReply || kind == dbus.TypeError
	sender := senderOf(order, whole[fixedHeader:fixedHeader+fields])
	switch {
	case kind == dbus.TypeSignal && !f.believes(sender):
		return f.skip(body)
	case kind == dbus.TypeSignal && body > largestSignal:
		f.dropped(sender)
		return f.skip(body)
	case !isReply && body > largestSignal, body > largestReply:
		return f.skip(body) // who waits for it is told by its deadline
	}
	f.pending, f.body = whole, body
	return nil
}

func (f *frames) skip(length int64) error {
	_, err := io.CopyN(io.Discard, f.in, length)
	return err
}

func byteOrder(mark byte) (binary.ByteOrder, bool) {
	switch mark {
	case 'l':
		return binary.LittleEndian, true
	case 'B':
		return binary.BigEndian, true
	}
	return nil, false
}
