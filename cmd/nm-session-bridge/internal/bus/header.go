package bus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/godbus/dbus/v5"
)

// The fixed part of a message's header: byte order, type, flags, version, length
// of the body, serial, length of the array of header fields
// (https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-messages).
const fixedHeader = 16

// header is what precedes a message's body.
type header struct {
	kind    dbus.Type
	fields  fields
	legible bool // whether the fields could be read
	raw     []byte
	body    int64 // the body's length
}

// readHeader reads a header, into room if that is large enough. It skips fields
// that take more than largestFields bytes; the header is then not legible.
func readHeader(in *bufio.Reader, largestFields int64, room []byte) (header, error) {
	fixed, err := in.Peek(fixedHeader)
	if err != nil {
		return header{}, err
	}
	order, ok := byteOrder(fixed[0])
	if !ok {
		return header{}, errors.New("the bus sent something that is not a D-Bus message")
	}
	h := header{kind: dbus.Type(fixed[1]), body: int64(order.Uint32(fixed[4:]))}
	length := int64(order.Uint32(fixed[12:]))
	whole := fixedHeader + (length+7)/8*8
	if length > largestFields {
		return h, skip(in, whole)
	}
	h.raw = slices.Grow(room[:0], int(whole))[:whole]
	if _, err := io.ReadFull(in, h.raw); err != nil {
		return header{}, err
	}
	h.fields, h.legible = parseFields(order, h.raw[fixedHeader:fixedHeader+length])
	return h, nil
}

// wantsAnswer reports whether the message is a call whose caller waits for an
// answer.
func (h header) wantsAnswer() bool {
	const flagsAt = 2
	return h.kind == dbus.TypeMethodCall && dbus.Flags(h.raw[flagsAt])&dbus.FlagNoReplyExpected == 0
}

// withBytes returns the message with one byte (y) in place of each letter of its
// signature. The original arguments are then not decoded, and the called method
// refuses the types of those that are.
func (h header) withBytes() []byte {
	const lengthAt = 4
	order, _ := byteOrder(h.raw[0]) // as it was read
	order.PutUint32(h.raw[lengthAt:], uint32(len(h.fields.signature)))
	for i := range h.fields.signature {
		h.fields.signature[i] = 'y'
	}
	return append(h.raw, make([]byte, len(h.fields.signature))...)
}

func skip(in *bufio.Reader, length int64) error {
	_, err := in.Discard(int(length))
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
