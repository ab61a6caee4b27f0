package bus

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

// lender is a service that answers with a file.
type lender struct{ file *os.File }

// Lend returns the file.
func (l lender) Lend(what string) (dbus.UnixFD, *dbus.Error) {
	if what != "pipe" {
		return 0, dbus.NewError("org.example.Refused", []any{"there is no " + what})
	}
	return dbus.UnixFD(l.file.Fd()), nil
}

// Talk returns no file.
func (l lender) Talk() (uint32, *dbus.Error) { return 2, nil }

// lend provides a lender of the writing end of a pipe and returns its reading end.
func lend(t *testing.T, address string) *os.File {
	t.Helper()
	reading, writing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	owner := bustest.Provide(t, address, name, bustest.Object{Path: path, Interface: iface, Value: lender{writing}})
	t.Cleanup(func() { _ = errors.Join(owner.Close(), reading.Close(), writing.Close()) })
	return reading
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

func TestCallForFileReturnsTheFile(t *testing.T) {
	address := bustest.Start(t)
	reading := lend(t, address)
	file, err := CallForFile(patient(t), address, name, path, iface, "Lend", "pipe")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if _, err := reading.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func TestAnAnswerWithoutAFileIsAnErrorAndLeaksNothing(t *testing.T) {
	address := bustest.Start(t)
	lend(t, address)
	before := descriptors(t)
	_, err := CallForFile(patient(t), address, name, path, iface, "Lend", "drum")
	var refusal dbus.Error
	if !errors.As(err, &refusal) || refusal.Name != "org.example.Refused" || refusal.Error() != "there is no drum" {
		t.Errorf("got %#v", err)
	}
	if _, err := CallForFile(patient(t), address, name, path, iface, "Talk"); err == nil {
		t.Error("a number was accepted as a file")
	}
	if _, err := CallForFile(patient(t), address, "org.example.Nobody", path, iface, "Lend", "pipe"); !errors.As(err, &refusal) ||
		refusal.Name != "org.freedesktop.DBus.Error.NameHasNoOwner" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := CallForFile(ctx, address, name, path, iface, "Lend", "pipe"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if after := descriptors(t); after > before { // those of tests before this one may still be closed
		t.Errorf("%d descriptors are open, and %d were before", after, before)
	}
}

func TestCallForFileTriesEverySocketOfAnAddress(t *testing.T) {
	address := bustest.Start(t)
	lend(t, address)
	file, err := CallForFile(patient(t), "unix:path=/nobody/listens;"+address, name, path, iface, "Lend", "pipe")
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
}
