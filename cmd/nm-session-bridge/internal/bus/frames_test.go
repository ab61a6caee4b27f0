package bus

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/variations"
)

const believed = ":1.7"

// encode returns the bytes of a message, as a bus would deliver it.
func encode(t testing.TB, kind dbus.Type, sender string, order binary.ByteOrder, body ...any) []byte {
	t.Helper()
	m := &dbus.Message{Type: kind, Body: body, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldSender: dbus.MakeVariant(sender),
	}}
	switch kind {
	case dbus.TypeSignal:
		m.Headers[dbus.FieldPath] = dbus.MakeVariant(path)
		m.Headers[dbus.FieldInterface] = dbus.MakeVariant(iface)
		m.Headers[dbus.FieldMember] = dbus.MakeVariant("Changed")
	case dbus.TypeMethodCall:
		m.Headers[dbus.FieldPath] = dbus.MakeVariant(path)
		m.Headers[dbus.FieldMember] = dbus.MakeVariant("Ask")
	case dbus.TypeMethodReply:
		m.Headers[dbus.FieldReplySerial] = dbus.MakeVariant(uint32(7))
	case dbus.TypeError:
		m.Headers[dbus.FieldReplySerial] = dbus.MakeVariant(uint32(7))
		m.Headers[dbus.FieldErrorName] = dbus.MakeVariant("org.example.Error")
	}
	if len(body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	var raw bytes.Buffer
	if err := m.EncodeTo(&raw, order); err != nil {
		t.Fatal(err)
	}
	raw.Bytes()[8] = 1 // a serial, which godbus gives only to messages that it sends
	return raw.Bytes()
}

// through returns the bytes that frames lets through, and the believed senders
// whose signals it dropped.
func through(messages ...[]byte) (passed []byte, dropped []string, err error) {
	f := &frames{
		in:       bufio.NewReader(bytes.NewReader(slices.Concat(messages...))),
		believes: func(sender string) bool { return sender == believed },
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
	last := encode(t, dbus.TypeSignal, believed, binary.LittleEndian, "last")
	for what, test := range map[string]struct {
		message []byte
		passes  bool
		dropped []string
	}{
		"signal":                  {encode(t, dbus.TypeSignal, believed, binary.LittleEndian, "x"), true, nil},
		"signal, big-endian":      {encode(t, dbus.TypeSignal, believed, binary.BigEndian, "x"), true, nil},
		"signal without a body":   {encode(t, dbus.TypeSignal, believed, binary.LittleEndian), true, nil},
		"large signal":            {encode(t, dbus.TypeSignal, believed, binary.LittleEndian, large), false, []string{believed}},
		"stranger's signal":       {encode(t, dbus.TypeSignal, ":1.8", binary.LittleEndian, "x"), false, nil},
		"stranger, big-endian":    {encode(t, dbus.TypeSignal, ":1.8", binary.BigEndian, "x"), false, nil},
		"stranger's large":        {encode(t, dbus.TypeSignal, ":1.8", binary.LittleEndian, large), false, nil},
		"nobody's signal":         {encode(t, dbus.TypeSignal, "", binary.LittleEndian, "x"), false, nil},
		"reply":                   {encode(t, dbus.TypeMethodReply, believed, binary.LittleEndian, large), true, nil},
		"stranger's reply":        {encode(t, dbus.TypeMethodReply, ":1.8", binary.LittleEndian, "x"), false, nil},
		"huge reply":              {encode(t, dbus.TypeMethodReply, believed, binary.LittleEndian, huge), false, nil},
		"error":                   {encode(t, dbus.TypeError, believed, binary.LittleEndian, large), true, nil},
		"stranger's error":        {encode(t, dbus.TypeError, ":1.8", binary.LittleEndian, "x"), false, nil},
		"call":                    {encode(t, dbus.TypeMethodCall, ":1.8", binary.LittleEndian, "x"), true, nil},
		"sender that is too long": {encode(t, dbus.TypeSignal, strings.Repeat("x", largestFields), binary.LittleEndian), false, nil},
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
	last := encode(t, dbus.TypeMethodCall, ":1.8", binary.LittleEndian, "last")
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
		call := encode(t, dbus.TypeMethodCall, ":1.8", test.order, test.arguments...)
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
		const flagsAt = 2
		call[flagsAt] = byte(dbus.FlagNoReplyExpected)
		if passed, _, err := through(call, last); err != nil || !bytes.Equal(passed, last) {
			t.Errorf("%s that wants no answer: %d bytes came through of %d, %v", what, len(passed), len(last), err)
		}
	}
}

func TestCallsThatNothingServesAndLargeFieldsAreDropped(t *testing.T) {
	last := encode(t, dbus.TypeSignal, believed, binary.LittleEndian, "last")
	call := encode(t, dbus.TypeMethodCall, ":1.8", binary.LittleEndian, uint32(1))
	f := &frames{
		in:       bufio.NewReader(bytes.NewReader(slices.Concat(call, last))),
		believes: func(sender string) bool { return sender == believed },
		answers:  func() bool { return false },
		serves:   func(string) bool { return false },
		begun:    true,
	}
	if passed, err := io.ReadAll(f); err != nil || !bytes.Equal(passed, last) {
		t.Errorf("where nothing is served %d bytes came through of %d, %v", len(passed), len(last), err)
	}
	long := &dbus.Message{Type: dbus.TypeMethodCall, Body: []any{uint32(1)}, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath:      dbus.MakeVariant(dbus.ObjectPath("/" + strings.Repeat("x", largestFields))),
		dbus.FieldMember:    dbus.MakeVariant("Ask"),
		dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(uint32(1))),
	}}
	var message bytes.Buffer
	if err := long.EncodeTo(&message, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	if passed, _, err := through(message.Bytes(), last); err != nil || !bytes.Equal(passed, last) {
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
	address := startBus(t)
	owner, conn := provide(t, address), dial(t, address)
	service := follow(t, conn)
	wantOwner(t, next(t, service), owner.Names()[0])
	forged := &dbus.Message{Type: dbus.TypeSignal, Body: []any{dbus.MakeVariant("")}, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath:        dbus.MakeVariant(path),
		dbus.FieldInterface:   dbus.MakeVariant(iface),
		dbus.FieldMember:      dbus.MakeVariant("Changed"),
		dbus.FieldDestination: dbus.MakeVariant(conn.Names()[0]),
		dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(dbus.MakeVariant(""))),
	}}
	var raw bytes.Buffer
	if err := forged.EncodeTo(&raw, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	body := append(bytes.Repeat([]byte("\x01v\x00"), 62), "\x05a{sv}\x00"...)
	body = append(body, make([]byte, -len(body)&3+4)...) // the dictionary's length
	body = append(body, make([]byte, -len(body)&7)...)   // the place of its first entry
	message := slices.Concat(raw.Bytes()[:raw.Len()-int(raw.Bytes()[4])], body)
	message[4], message[5], message[8] = byte(len(body)), 0, 2 // length and serial
	sendRaw(t, address, message)
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
	stranger, err := net.Dial("unix", names[0])
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	hello := &dbus.Message{Type: dbus.TypeMethodCall, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: dbus.MakeVariant(daemonName),
		dbus.FieldPath:        dbus.MakeVariant(dbus.ObjectPath("/org/freedesktop/DBus")),
		dbus.FieldInterface:   dbus.MakeVariant(daemonName),
		dbus.FieldMember:      dbus.MakeVariant("Hello"),
	}}
	var first, last bytes.Buffer
	if err := errors.Join(hello.EncodeTo(&first, binary.LittleEndian), hello.EncodeTo(&last, binary.LittleEndian)); err != nil {
		t.Fatal(err)
	}
	first.Bytes()[8], last.Bytes()[8] = 1, 3 // serials
	uid := hex.EncodeToString([]byte(strconv.Itoa(os.Geteuid())))
	sent := slices.Concat([]byte("\x00AUTH EXTERNAL "+uid+"\r\nBEGIN\r\n"), first.Bytes(), message, last.Bytes())
	if _, err := stranger.Write(sent); err != nil {
		t.Fatal(err)
	}
	// A second Hello is an error, whose answer comes last.
	answers := bufio.NewReader(stranger)
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := dbus.DecodeMessage(answers)
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == dbus.TypeError {
			return
		}
	}
}

func TestALargeSignalCountsAsLost(t *testing.T) {
	address := startBus(t)
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
	address := startBus(t)
	owner, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	if err := owner.Export(huge{}, path, iface); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.RequestName(name, 0); err != nil {
		t.Fatal(err)
	}
	service := follow(t, dial(t, address))
	wantOwner(t, next(t, service), owner.Names()[0])
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := (<-service.Go(ctx, path, iface+".Huge").Done).Err; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := owner.Emit(path, iface+".After"); err != nil {
		t.Fatal(err)
	}
	wantMember(t, next(t, service), "After")
}

type huge struct{}

// Huge answers with more bytes than are accepted.
func (huge) Huge() (string, *dbus.Error) {
	return strings.Repeat("x", largestReply), nil
}

func FuzzFrames(target *testing.F) {
	f := variations.Of(target)
	signal := encode(f, dbus.TypeSignal, believed, binary.LittleEndian, "x", map[string]dbus.Variant{"Lid": dbus.MakeVariant(true)})
	f.Add(signal)
	f.Add(encode(f, dbus.TypeSignal, ":1.8", binary.BigEndian, uint32(1)))
	f.Add(slices.Concat(encode(f, dbus.TypeMethodReply, ":1.8", binary.LittleEndian, []string{"a"}), signal))
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
