package bus

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

const (
	name  = "org.example.Service"
	path  = dbus.ObjectPath("/org/example/Service")
	iface = "org.example.Service"
)

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, address string) *Conn {
	t.Helper()
	conn, err := Dial(patient(t), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// provide returns a connection that owns the name.
func provide(t *testing.T, address string) *dbus.Conn {
	t.Helper()
	return bustest.Provide(t, address, name)
}

func emit(t *testing.T, conn *dbus.Conn, member string) {
	t.Helper()
	if err := conn.Emit(path, iface+"."+member); err != nil {
		t.Fatal(err)
	}
}

// emitTo sends a signal directly to one connection, past all match rules.
func emitTo(t *testing.T, from *dbus.Conn, to *Conn, member string) {
	t.Helper()
	message := &dbus.Message{
		Type: dbus.TypeSignal,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath:        dbus.MakeVariant(path),
			dbus.FieldInterface:   dbus.MakeVariant(iface),
			dbus.FieldMember:      dbus.MakeVariant(member),
			dbus.FieldDestination: dbus.MakeVariant(to.Names()[0]),
		},
	}
	if call := from.Send(message, nil); call.Err != nil {
		t.Fatal(call.Err)
	}
}

func follow(t *testing.T, conn *Conn) *Service {
	t.Helper()
	service, err := conn.Follow(patient(t), name, Everything{}, "type='signal',sender='"+name+"',path='"+string(path)+"'")
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func next(t *testing.T, service *Service) *dbus.Signal {
	t.Helper()
	return bustest.Next(t, service.Signals(), "a signal")
}

func wantOwner(t *testing.T, signal *dbus.Signal, owner string) {
	t.Helper()
	if signal.Name != nameOwnerChanged || signal.Body[2] != owner {
		t.Fatalf("got %s %v, want the owner to be %q", signal.Name, signal.Body, owner)
	}
}

func wantMember(t *testing.T, signal *dbus.Signal, member string) {
	t.Helper()
	if signal.Name != iface+"."+member {
		t.Fatalf("got %s %v, want %s", signal.Name, signal.Body, member)
	}
}

func TestOwnersAreFollowed(t *testing.T) {
	address := bustest.Start(t)
	service := follow(t, dial(t, address))
	wantOwner(t, next(t, service), "")
	first := provide(t, address)
	wantOwner(t, next(t, service), first.Names()[0])
	emit(t, first, "One")
	wantMember(t, next(t, service), "One")
	second := provide(t, address)
	wantOwner(t, next(t, service), second.Names()[0])
	emit(t, first, "Late")
	emit(t, second, "Two")
	wantMember(t, next(t, service), "Two")
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	// A replaced owner waits in the queue and gets the name back.
	wantOwner(t, next(t, service), first.Names()[0])
}

func TestThePresentOwnerIsAnnouncedFirst(t *testing.T) {
	address := bustest.Start(t)
	owner := provide(t, address)
	wantOwner(t, next(t, follow(t, dial(t, address))), owner.Names()[0])
}

func TestForgedSignalsDoNotGetIn(t *testing.T) {
	address := bustest.Start(t)
	owner, forger, conn := provide(t, address), bustest.Connect(t, address), dial(t, address)
	service := follow(t, conn)
	wantOwner(t, next(t, service), owner.Names()[0])
	emitTo(t, owner, conn, "Direct") // a forger can reach this connection the same way
	wantMember(t, next(t, service), "Direct")
	emit(t, forger, "Forged")
	emitTo(t, forger, conn, "Forged")
	forged := &dbus.Message{
		Type: dbus.TypeSignal,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath:        dbus.MakeVariant(dbus.ObjectPath("/org/freedesktop/DBus")),
			dbus.FieldInterface:   dbus.MakeVariant(daemonName),
			dbus.FieldMember:      dbus.MakeVariant("NameOwnerChanged"),
			dbus.FieldDestination: dbus.MakeVariant(conn.Names()[0]),
			dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf("", "", "")),
		},
		Body: []any{name, owner.Names()[0], forger.Names()[0]},
	}
	if call := forger.Send(forged, nil); call.Err != nil {
		t.Fatal(call.Err)
	}
	// The bus keeps the order only within one sender. A round trip makes sure that
	// the forger's signals were sent.
	if err := forger.BusObject().CallWithContext(patient(t), daemonName+".GetId", 0).Err; err != nil {
		t.Fatal(err)
	}
	emit(t, owner, "True")
	wantMember(t, next(t, service), "True")
}

func TestAFloodIsNoticedAndNeverBlocks(t *testing.T) {
	address := bustest.Start(t)
	owner, conn := provide(t, address), dial(t, address)
	service := follow(t, conn)
	wantOwner(t, next(t, service), owner.Names()[0])
	for range 3 * backlog {
		emit(t, owner, "Flood")
	}
	// The owner's signals and its answer to a call keep their order.
	if err := (<-service.Go(patient(t), path, "org.freedesktop.DBus.Peer.Ping").Done).Err; err != nil {
		t.Fatal(err)
	}
	lost := false
	for len(service.Signals()) > 0 {
		if signal := next(t, service); signal.Name == nameOwnerChanged {
			wantOwner(t, signal, owner.Names()[0])
			lost = true
		}
	}
	if !lost {
		t.Error("signals were dropped and nobody said so")
	}
	emit(t, owner, "After")
	wantMember(t, next(t, service), "After")
}

func TestAnOwnersEndIsNotLostInAFlood(t *testing.T) {
	address := bustest.Start(t)
	owner, conn := provide(t, address), dial(t, address)
	service := follow(t, conn)
	wantOwner(t, next(t, service), owner.Names()[0])
	for range backlog {
		emit(t, owner, "Flood")
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	signal := next(t, service)
	for signal.Name != nameOwnerChanged {
		signal = next(t, service)
	}
	wantOwner(t, signal, "")
}

func TestACallWithoutAnOwnerFailsAtOnce(t *testing.T) {
	service := follow(t, dial(t, bustest.Start(t)))
	if call := <-service.Go(patient(t), path, iface+".Method").Done; call.Err != ErrNoOwner { //nolint:errorlint // the very value
		t.Errorf("got %v", call.Err)
	}
}

func TestALostBusIsNoticed(t *testing.T) {
	clients := make(chan net.Conn, 1)
	conn := dial(t, bustest.Listen(t, func(conn net.Conn) func([]byte) error {
		clients <- conn
		return func(hello []byte) error {
			_, err := conn.Write(bustest.Message(binary.LittleEndian, dbus.TypeMethodReply, bustest.Headers{
				dbus.FieldSender: daemonName, dbus.FieldReplySerial: binary.LittleEndian.Uint32(hello[bustest.PlaceOfSerial:]),
			}, ":1.1"))
			return err
		}
	}))
	if err := (<-clients).Close(); err != nil {
		t.Fatal(err)
	}
	bustest.Next(t, conn.Lost(), "the notice of the loss")
}

func TestABusThatDoesNotAnswerIsGivenUp(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "silent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		if _, err := client.Read(make([]byte, 1)); err == nil {
			cancel()
		}
	}()
	if _, err := Dial(ctx, "unix:path="+socket); err == nil || !strings.Contains(err.Error(), "did not complete the handshake") {
		t.Errorf("got %v", err)
	}
}

func TestACommandGivesUpOnABusThatDoesNotAnswer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "silent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := connect(context.Background(), time.Millisecond, "unix:path="+socket)
		ended <- err
	}()
	if err := bustest.Next(t, ended, "the end of the handshake"); !errors.Is(err, errSilent) {
		t.Errorf("got %v", err)
	}
}

func TestAddresses(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	for address, want := range map[string]string{
		"unix:path=/run/bus":                     "/run/bus",
		"unix:abstract=/tmp/x,guid=00":           "@/tmp/x",
		"unix:path=/a%20b":                       "/a b",
		"unix:runtime=yes":                       "/run/user/7/bus",
		"tcp:host=localhost;unix:path=/fallback": "/fallback",
	} {
		if got, err := sockets(address); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
	for _, address := range []string{"", "tcp:host=localhost", "unix:guid=00", "unix:path=%zz"} {
		if got, err := sockets(address); err == nil || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
}

func TestSessionAddress(t *testing.T) {
	for _, test := range []struct{ address, runtime, want string }{
		{"unix:path=/a", "/run/user/7", "unix:path=/a"},
		{"", "/run/user/7", "unix:path=/run/user/7/bus"},
		{"autolaunch:", "/run/user/7", "unix:path=/run/user/7/bus"},
		{"", "", ""},
		{"", "run", ""}, // below the working directory, in which others may have put a bus
	} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", test.address)
		t.Setenv("XDG_RUNTIME_DIR", test.runtime)
		if got, err := SessionAddress(); got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
}
