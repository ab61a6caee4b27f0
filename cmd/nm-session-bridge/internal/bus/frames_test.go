package bus

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
	"github.com/nm-session-bridge/nm-session-bridge/integration/forgery"
	"github.com/nm-session-bridge/nm-session-bridge/integration/variations"
)

const believed = ":1.7"

// encode returns the bytes of a message, as a bus would deliver it.
func encode(kind dbus.Type, sender string, order binary.ByteOrder, body ...any) []byte {
	headers := bustest.Headers{dbus.FieldSender: sender}
	switch kind {
	case dbus.TypeSignal:
		headers[dbus.FieldPath], headers[dbus.FieldInterface], headers[dbus.FieldMember] = path, iface, "Changed"
	case dbus.TypeMethodCall:
		headers[dbus.FieldPath], headers[dbus.FieldMember] = path, "Ask"
	case dbus.TypeMethodReply:
		headers[dbus.FieldReplySerial] = uint32(7)
	case dbus.TypeError:
		headers[dbus.FieldReplySerial], headers[dbus.FieldErrorName] = uint32(7), "org.example.Error"
	}
	return bustest.Message(order, kind, headers, body...)
}

// through returns the bytes that frames lets through, and the believed senders
// whose signals it dropped.
func through(messages ...[]byte) (passed []byte, dropped []string, err error) {
	f := &frames{
		in:       bufio.NewReader(bytes.NewReader(slices.Concat(messages...))),
		believes: func(sender string) bool { return sender == believed },
		hears:    func(sender string, of dbus.ObjectPath) bool { return sender == believed && of == path },
		answers:  func() bool { return true },
		serves:   func(signature string) bool { return signature == "s" },
		dropped:  func(sender string) { dropped = append(dropped, sender) },
		begun:    true,
	}
	passed, err = io.ReadAll(f)
	return passed, dropped, err
}

func TestOnlyBelievedMessagesOfBoundedSizeAreDecoded(t *testing.T) {
	large, huge := strings.Repeat("x", largestSignal), strings.Repeat("x", largestReply)
	last := encode(dbus.TypeSignal, believed, binary.LittleEndian, "last")
	for what, test := range map[string]struct {
		message []byte
		passes  bool
		dropped []string
	}{
		"signal":                  {encode(dbus.TypeSignal, believed, binary.LittleEndian, "x"), true, nil},
		"signal, big-endian":      {encode(dbus.TypeSignal, believed, binary.BigEndian, "x"), true, nil},
		"signal without a body":   {encode(dbus.TypeSignal, believed, binary.LittleEndian), true, nil},
		"large signal":            {encode(dbus.TypeSignal, believed, binary.LittleEndian, large), false, []string{believed}},
		"of another object":       {bustest.Message(binary.LittleEndian, dbus.TypeSignal, bustest.Headers{dbus.FieldSender: believed, dbus.FieldPath: dbus.ObjectPath("/of/others"), dbus.FieldInterface: iface, dbus.FieldMember: "Changed"}, large), false, nil},
		"stranger's signal":       {encode(dbus.TypeSignal, ":1.8", binary.LittleEndian, "x"), false, nil},
		"stranger, big-endian":    {encode(dbus.TypeSignal, ":1.8", binary.BigEndian, "x"), false, nil},
		"stranger's large":        {encode(dbus.TypeSignal, ":1.8", binary.LittleEndian, large), false, nil},
		"nobody's signal":         {encode(dbus.TypeSignal, "", binary.LittleEndian, "x"), false, nil},
		"reply":                   {encode(dbus.TypeMethodReply, believed, binary.LittleEndian, large), true, nil},
		"stranger's reply":        {encode(dbus.TypeMethodReply, ":1.8", binary.LittleEndian, "x"), false, nil},
		"huge reply":              {encode(dbus.TypeMethodReply, believed, binary.LittleEndian, huge), false, nil},
		"error":                   {encode(dbus.TypeError, believed, binary.LittleEndian, large), true, nil},
		"stranger's error":        {encode(dbus.TypeError, ":1.8", binary.LittleEndian, "x"), false, nil},
		"call":                    {encode(dbus.TypeMethodCall, ":1.8", binary.LittleEndian, "x"), true, nil},
		"sender that is too long": {encode(dbus.TypeSignal, strings.Repeat("x", largestFields), binary.LittleEndian), false, nil},
	} {
		want := last
		if test.passes {
			want = slices.Concat(test.message, last)
		}
		passed, dropped, err := through(test.message, last)
		if !bytes.Equal(passed, want) || err != nil {
			t.Errorf("%s: %d bytes came through of %d, %v", what, len(passed), len(want), err)
		}
		if !slices.Equal(dropped, test.dropped) {
			t.Errorf("%s: signals were reported as lost from %v", what, dropped)
		}
	}
}

// The answer to such a call has no arguments.
func TestArgumentsThatAreNotDecodedAreLeftOut(t *testing.T) {
	large := strings.Repeat("x", largestSignal)
	last := encode(dbus.TypeMethodCall, ":1.8", binary.LittleEndian, "last")
	for what, test := range map[string]struct {
		arguments []any
		order     binary.ByteOrder
		want      []any
	}{
		"a number":           {[]any{uint32(1)}, binary.LittleEndian, []any{byte(0)}},
		"big-endian":         {[]any{"x", "y", int32(3)}, binary.BigEndian, []any{byte(0), byte(0), byte(0)}},
		"an array":           {[]any{[]string{"x"}}, binary.LittleEndian, []any{byte(0), byte(0)}},
		"a variant":          {[]any{dbus.MakeVariant("x")}, binary.LittleEndian, []any{byte(0)}},
		"none, not expected": {nil, binary.LittleEndian, nil},
		"large":              {[]any{large}, binary.LittleEndian, []any{byte(0)}},
	} {
		call := encode(dbus.TypeMethodCall, ":1.8", test.order, test.arguments...)
		passed, _, err := through(call, last)
		if err != nil || !bytes.HasSuffix(passed, last) {
			t.Fatalf("%s: %d bytes came through, %v", what, len(passed), err)
		}
		m, err := dbus.DecodeMessage(bytes.NewReader(passed[:len(passed)-len(last)]))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if !slices.Equal(m.Body, test.want) || m.Headers[dbus.FieldMember].Value() != "Ask" {
			t.Errorf("%s became %v", what, m)
		}
		call[bustest.PlaceOfFlags] = byte(dbus.FlagNoReplyExpected)
		if passed, _, err := through(call, last); err != nil || !bytes.Equal(passed, last) {
			t.Errorf("%s that wants no answer: %d bytes came through of %d, %v", what, len(passed), len(last), err)
		}
	}
}

func TestCallsThatNothingServesAndLargeFieldsAreDropped(t *testing.T) {
	last := encode(dbus.TypeSignal, believed, binary.LittleEndian, "last")
	call := encode(dbus.TypeMethodCall, ":1.8", binary.LittleEndian, uint32(1))
	f := &frames{
		in:       bufio.NewReader(bytes.NewReader(slices.Concat(call, last))),
		believes: func(sender string) bool { return sender == believed },
		hears:    func(sender string, of dbus.ObjectPath) bool { return sender == believed && of == path },
		answers:  func() bool { return false },
		serves:   func(string) bool { return false },
		begun:    true,
	}
	if passed, err := io.ReadAll(f); err != nil || !bytes.Equal(passed, last) {
		t.Errorf("where nothing is served %d bytes came through of %d, %v", len(passed), len(last), err)
	}
	long := bustest.Message(binary.LittleEndian, dbus.TypeMethodCall, bustest.Headers{
		dbus.FieldPath:   dbus.ObjectPath("/" + strings.Repeat("x", largestFields)),
		dbus.FieldMember: "Ask",
	}, uint32(1))
	if passed, _, err := through(long, last); err != nil || !bytes.Equal(passed, last) {
		t.Errorf("of one with large fields %d bytes came through of %d, %v", len(passed), len(last), err)
	}
}

func TestGarbageEndsTheConnection(t *testing.T) {
	if _, _, err := through([]byte("HTTP/1.1 400 Bad Request\r\n")); err == nil {
		t.Error("garbage was accepted as messages")
	}
}

// The signal is an empty dictionary in 63 variants. A bus delivers it, and godbus
// closes the connection over it.
func TestAStrangersUndecodableSignalIsHarmless(t *testing.T) {
	address := bustest.Start(t)
	owner, conn := provide(t, address), dial(t, address)
	service := follow(t, conn)
	wantOwner(t, next(t, service), owner.Names()[0])
	body := append(bytes.Repeat([]byte("\x01v\x00"), 62), "\x05a{sv}\x00"...)
	body = append(body, make([]byte, -len(body)&3+4)...) // the dictionary's length
	body = append(body, make([]byte, -len(body)&7)...)   // the place of its first entry
	forged, err := bustest.Frame(binary.LittleEndian, dbus.TypeSignal, bustest.Headers{
		dbus.FieldPath: path, dbus.FieldInterface: iface, dbus.FieldMember: "Changed", dbus.FieldDestination: conn.Names()[0],
	}, "v", body)
	if err != nil {
		t.Fatal(err)
	}
	sendRaw(t, address, forged)
	emit(t, owner, "After")
	wantMember(t, next(t, service), "After")
}

// sendRaw sends bytes to a bus as a stranger, and waits until the bus has handled
// them.
func sendRaw(t *testing.T, address string, message []byte) {
	t.Helper()
	names, err := sockets(address)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.Dial("unix", names[0])
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := forgery.NewClient(socket, os.Geteuid(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if outcome, why := stranger.Try(forgery.Frame{Bytes: message}); outcome != forgery.Taken {
		t.Fatalf("the message was %s: %s", outcome, why)
	}
}

func TestALargeSignalCountsAsLost(t *testing.T) {
	address := bustest.Start(t)
	owner, conn := provide(t, address), dial(t, address)
	service := follow(t, conn)
	wantOwner(t, next(t, service), owner.Names()[0])
	if err := owner.Emit(path, iface+".Large", strings.Repeat("x", largestSignal)); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, next(t, service), owner.Names()[0])
	emit(t, owner, "After")
	wantMember(t, next(t, service), "After")
}

func TestACallWithAHugeReplyRunsIntoItsDeadline(t *testing.T) {
	address := bustest.Start(t)
	owner := bustest.Provide(t, address, name, bustest.Object{Path: path, Interface: iface, Value: huge{}})
	service := follow(t, dial(t, address))
	wantOwner(t, next(t, service), owner.Names()[0])
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := (<-service.Go(ctx, path, iface+".Huge").Done).Err; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	emit(t, owner, "After")
	wantMember(t, next(t, service), "After")
}

type huge struct{}

// Huge answers with more bytes than are accepted.
func (huge) Huge() (string, *dbus.Error) {
	return strings.Repeat("x", largestReply), nil
}

func FuzzFrames(target *testing.F) {
	f := variations.Of(target)
	signal := encode(dbus.TypeSignal, believed, binary.LittleEndian, "x", map[string]dbus.Variant{"Lid": dbus.MakeVariant(true)})
	f.Add(signal)
	f.Add(encode(dbus.TypeSignal, ":1.8", binary.BigEndian, uint32(1)))
	f.Add(slices.Concat(encode(dbus.TypeMethodReply, ":1.8", binary.LittleEndian, []string{"a"}), signal))
	f.Add(signal[:len(signal)-1])
	f.Fuzz(func(t *testing.T, stream []byte) {
		passed, _, _ := through(stream)
		// Every signal that comes through is from a believed sender.
		rest := bytes.NewReader(passed)
		for {
			m, err := dbus.DecodeMessage(rest)
			if err != nil {
				return
			}
			if sender, _ := m.Headers[dbus.FieldSender].Value().(string); m.Type == dbus.TypeSignal && sender != believed {
				t.Fatalf("a signal of %q came through", sender)
			}
		}
	})
}
