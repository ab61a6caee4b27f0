package bustest

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/godbus/dbus/v5"
)

// Start starts a real dbus-daemon and returns its address.
func Start(tb testing.TB) (address string) {
	tb.Helper()
	address = "unix:path=" + filepath.Join(tb.TempDir(), "bus")
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address", "--address="+address)
	out, err := daemon.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		tb.Fatalf("%v (Debian's package is dbus-daemon)", err)
	}
	tb.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait() // killed
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		tb.Fatal(err)
	}
	return address
}

// Connect returns a connection of godbus' own to a bus.
func Connect(tb testing.TB, address string, options ...dbus.ConnOption) *dbus.Conn {
	tb.Helper()
	conn, err := dbus.Connect(address, options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Object is something that answers calls: a value with a method for each of those
// of an interface.
type Object struct {
	Path      dbus.ObjectPath
	Interface string
	Value     any
}

// Provide returns a connection that owns a name until another wants it, and
// answers for objects.
func Provide(tb testing.TB, address, name string, objects ...Object) *dbus.Conn {
	tb.Helper()
	conn := Connect(tb, address)
	for _, object := range objects {
		if err := conn.Export(object.Value, object.Path, object.Interface); err != nil {
			tb.Fatal(err)
		}
	}
	reply, err := conn.RequestName(name, dbus.NameFlagReplaceExisting|dbus.NameFlagAllowReplacement)
	if err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		tb.Fatal(reply, err)
	}
	return conn
}
