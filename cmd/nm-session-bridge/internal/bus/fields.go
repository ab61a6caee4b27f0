package bus

import (
	"encoding/binary"

	"github.com/godbus/dbus/v5"
)

// senderOf returns the sender that the header fields of a message name, an
// array of structures of a code and a variant
// (https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-header-fields).
// It is "" where they name none or cannot be read.
func senderOf(order binary.ByteOrder, fields []byte) string {
	f := fieldReader{order: order, rest: fields, left: len(fields)}
	for f.left > 0 {
		f.align(8)
		code := dbus.HeaderField(f.byte())
		content, ok := f.variant()
		if !ok {
			return ""
		}
		if code == dbus.FieldSender {
			return string(content)
		}
	}
	return ""
}

// fieldReader walks through header fields. What is read past their end is empty.
type fieldReader struct {
	order binary.ByteOrder
	rest  []byte
	left  int // how many bytes are left; negative once that was too few
	read  int
}

// variant returns the bytes of a variant of one of the types that header fields
// have, and whether it was one.
func (f *fieldReader) variant() (content []byte, ok bool) {
	signature := f.take(int(f.byte()) + 1) // with its final zero
	if len(signature) != 2 {
		return nil, false
	}
	switch signature[0] {
	case 's', 'o':
		content = f.take(f.length())
		f.take(1)
	case 'g':
		content = f.take(int(f.byte()))
		f.take(1)
	case 'u':
		f.align(4)
		content = f.take(4)
	default:
		return nil, false
	}
	return content, f.left >= 0
}

func (f *fieldReader) length() int {
	f.align(4)
	four := f.take(4)
	if len(four) < 4 {
		return 0
	}
	return int(f.order.Uint32(four))
}

func (f *fieldReader) byte() byte {
	one := f.take(1)
	if len(one) < 1 {
		return 0
	}
	return one[0]
}

func (f *fieldReader) align(to int) {
	f.take((to - f.read%to) % to)
}

// take returns the next n bytes, or none where there are fewer.
func (f *fieldReader) take(n int) []byte {
	if n < 0 || n > f.left {
		f.left = -1
		return nil
	}
	taken := f.rest[:n]
	f.rest, f.left, f.read = f.rest[n:], f.left-n, f.read+n
	return taken
}
