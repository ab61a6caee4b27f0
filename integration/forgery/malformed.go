package forgery

import (
	"bytes"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

// Large returns well-formed messages up to and past the size that a system bus
// accepts (max_message_size, 32 MiB, dbus-daemon(1)).
func Large(victim Victim) []Forgery {
	l := lies(victim)[0].to(victim.Name)
	path := bytes.Repeat([]byte("a"), 1<<20)
	path[0] = '/'
	long := l.letter(bodyOf(little, l.args...))
	long.fields = map[dbus.HeaderField]any{}
	for field, value := range l.fields {
		long.fields[field] = value
	}
	long.fields[dbus.FieldPath] = dbus.ObjectPath(path)
	return []Forgery{
		{Name: l.name + ", a path of 1 MiB", Frame: long.frame()},
		{Name: l.name + ", 8 MiB", Frame: l.letter(zeros("ay", 8<<20)).frame()},
		{Name: l.name + ", 31 MiB", Frame: l.letter(zeros("ay", 31<<20)).frame()},
		{Name: l.name + ", 33 MiB", Frame: l.letter(zeros("ay", 33<<20)).frame()},
	}
}

// malformed returns the ways to lie about a message itself. If a bus lets one
// of them through, the victim has to deal with it.
func malformed(l lie) []Forgery {
	honest := l.letter(bodyOf(little, l.args...)).frame().Bytes
	with := func(how string, change func(frame []byte) []byte) Forgery {
		return Forgery{Name: l.name + ", " + how, Frame: Frame{Bytes: change(bytes.Clone(honest))}}
	}
	bodyLength := little.Uint32(honest[bustest.PlaceOfBodyLength:])
	setBody := func(length uint32) func([]byte) []byte {
		return func(frame []byte) []byte {
			little.PutUint32(frame[bustest.PlaceOfBodyLength:], length)
			return frame
		}
	}
	setByte := func(place int, value byte) func([]byte) []byte {
		return func(frame []byte) []byte {
			frame[place] = value
			return frame
		}
	}
	carrying := func(how string, b body) Forgery {
		return Forgery{Name: l.name + ", " + how, Frame: l.letter(b).frame()}
	}
	var claimed Forgery
	claims := l.letter(body{})
	claims.fields = map[dbus.HeaderField]any{dbus.FieldUnixFDs: uint32(5)}
	for field, value := range l.fields {
		claims.fields[field] = value
	}
	claimed.Frame = claims.frame()
	all := []Forgery{
		with("eight bytes behind the body", func(frame []byte) []byte {
			return setBody(bodyLength + 8)(append(frame, frame[:8]...))
		}),
		with("a body shorter than it is", setBody(bodyLength-8)),
		with("no body though it has a signature", func(frame []byte) []byte {
			return setBody(0)(frame[:len(frame)-int(bodyLength)])
		}),
		with("a body of 4 GiB", setBody(1<<32-1)),
		with("header fields of 4 GiB", func(frame []byte) []byte {
			little.PutUint32(frame[bustest.PlaceOfFieldsLength:], 1<<32-1)
			return frame
		}),
		with("header fields shorter than they are", func(frame []byte) []byte {
			little.PutUint32(frame[bustest.PlaceOfFieldsLength:], little.Uint32(frame[bustest.PlaceOfFieldsLength:])-9)
			return frame
		}),
		with("another byte order than it says", setByte(bustest.PlaceOfOrder, 'B')),
		with("no byte order", setByte(bustest.PlaceOfOrder, 'x')),
		with("no type", setByte(bustest.PlaceOfType, 0)),
		with("a type that there is not", setByte(bustest.PlaceOfType, 9)),
		with("another version", setByte(bustest.PlaceOfVersion, 2)),
		carrying("a string without its end", body{"s", []byte{4, 0, 0, 0, 'a', 'b', 'c', 'd'}, 0}),
		carrying("a string that is not UTF-8", body{"s", []byte{2, 0, 0, 0, 0xff, 0xfe, 0}, 0}),
		carrying("a string longer than the body", body{"s", []byte{0xff, 0xff, 0xff, 0x7f, 'a', 0}, 0}),
		carrying("an array longer than the body", body{"ay", []byte{0xff, 0xff, 0xff, 3, 7}, 0}),
		carrying("a boolean that is two", body{"b", []byte{2, 0, 0, 0}, 0}),
		carrying("65 variants in each other", body{"v", append(bytes.Repeat([]byte("\x01v\x00"), 64), "\x01y\x00\x07"...), 0}),
		carrying("a variant of two types", body{"v", []byte("\x02yy\x00\x07\x07"), 0}),
		carrying("a variant of no type", body{"v", []byte("\x00\x00\x07\x07"), 0}),
		carrying("more bytes than the signature", body{"y", make([]byte, 64), 0}),
	}
	for _, promise := range []Forgery{
		with("half a message", func(frame []byte) []byte { return frame[:len(frame)/2] }),
		with("half a header", func(frame []byte) []byte { return frame[:bustest.FixedHeader/2] }),
		with("8 bytes of a body of 127 MiB", setBody(127<<20)),
		with("no descriptor though it promises some", func([]byte) []byte { return claimed.Bytes }),
	} {
		promise.Unfinished = true
		all = append(all, promise)
	}
	return all
}
