package bus

import (
	"encoding/binary"

	"github.com/godbus/dbus/v5"
)

// fields are the header fields of a message that are checked before it is
// decoded. A field that the message lacks is empty.
type fields struct {
	sender               string
	path                 dbus.ObjectPath
	signature            []byte // those of the header itself
	replySerial, unixFDs uint32
}

// parseFields reads header fields, an array of structures of a code and a
// variant (https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-header-fields).
// It reports whether they could be read.
func parseFields(order binary.ByteOrder, raw []byte) (f fields, ok bool) {
	r := fieldReader{order: order, rest: raw, left: len(raw)}
	for r.left > 0 {
		r.align(8)
		code := dbus.HeaderField(r.byte())
		kind, content := r.variant()
		switch {
		case r.left < 0:
			return fields{}, false
		case code == dbus.FieldSender && kind == 's':
			f.sender = string(content)
		case code == dbus.FieldPath && kind == 'o':
			f.path = dbus.ObjectPath(content)
		case code == dbus.FieldSignature && kind == 'g':
			f.signature = content
		case code == dbus.FieldReplySerial && kind == 'u':
			f.replySerial = order.Uint32(content)
		case code == dbus.FieldUnixFDs && kind == 'u':
			f.unixFDs = order.Uint32(content)
		}
	}
	return f, true
}

// fieldReader walks through header fields. Reads past their end return nothing.
type fieldReader struct {
	order binary.ByteOrder
	rest  []byte
	left  int // how many bytes are left; negative once that was too few
	read  int
}

// variant returns the type and the bytes of a variant, if it has one of the types
// of header fields. After a variant of any other type, nothing is left to read.
func (f *fieldReader) variant() (kind byte, content []byte) {
	signature := f.take(int(f.byte()) + 1) // with its final zero
	if len(signature) != 2 {
		f.left = -1
		return 0, nil
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
		f.left = -1
	}
	return signature[0], content
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

// take returns the next n bytes, or none if fewer are left.
func (f *fieldReader) take(n int) []byte {
	if n < 0 || n > f.left {
		f.left = -1
		return nil
	}
	taken := f.rest[:n]
	f.rest, f.left, f.read = f.rest[n:], f.left-n, f.read+n
	return taken
}
