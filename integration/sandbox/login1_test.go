package sandbox_test

import (
	"os"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	login1     = "org.freedesktop.login1"
	login1Path = "/org/freedesktop/login1"
	properties = "org.freedesktop.DBus.Properties"
)

// manager returns login1's Manager as the sandbox's user sees it, and its signals.
func manager(t *testing.T, sb *sandbox.Sandbox) (dbus.BusObject, <-chan *dbus.Signal) {
	t.Helper()
	conn, err := sb.ConnectSystemBusAsUser(deadline(t))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	must(t, conn.AddMatchSignalContext(deadline(t), dbus.WithMatchSender(login1), dbus.WithMatchObjectPath(login1Path)))
	return conn.Object(login1, login1Path), signals
}

func lidClosed(t *testing.T, manager dbus.BusObject) bool {
	t.Helper()
	var closed bool
	must(t, manager.CallWithContext(deadline(t), properties+".Get", 0, login1+".Manager", "LidClosed").Store(&closed))
	return closed
}

func TestLidOfLogind257(t *testing.T) {
	sb := up(t, sandbox.Options{NoNetworkManager: true, LidClosed: true})
	manager, signals := manager(t, sb)
	if !lidClosed(t, manager) {
		t.Error("the lid is open at the start")
	}
	for _, closed := range []bool{false, true, true} {
		must(t, sb.Login1.SetLid(closed))
		signal := next(t, signals)
		changed, ok := signal.Body[1].(map[string]dbus.Variant)
		if !ok || signal.Name != properties+".PropertiesChanged" || changed["LidClosed"] != dbus.MakeVariant(closed) {
			t.Errorf("set to %t, signalled %v", closed, signal)
		}
		if lidClosed(t, manager) != closed {
			t.Errorf("set to %t, reads otherwise", closed)
		}
	}
}

func TestLidOfLogind252(t *testing.T) {
	sb := up(t, sandbox.Options{NoNetworkManager: true, Login1: fakes.Logind252})
	manager, signals := manager(t, sb)
	must(t, sb.Login1.SetLid(true))
	if !lidClosed(t, manager) {
		t.Error("set to closed, reads open")
	}
	must(t, sb.Login1.PrepareForSleep(true))
	if signal := next(t, signals); signal.Name != login1+".Manager.PrepareForSleep" {
		t.Errorf("logind 252 signals the lid: %v", signal)
	}
}

// next returns login1's next signal; the bus itself sends some too.
func next(t *testing.T, signals <-chan *dbus.Signal) *dbus.Signal {
	t.Helper()
	for {
		select {
		case signal, open := <-signals:
			if !open {
				t.Fatal("the bus is gone")
			}
			if signal.Path == login1Path {
				return signal
			}
		case <-deadline(t).Done():
			t.Fatal("no signal comes")
		}
	}
}

func TestLogin1ShowsWhatWasRecorded(t *testing.T) {
	sb := up(t, sandbox.Options{NoNetworkManager: true})
	manager, _ := manager(t, sb)
	want, err := os.ReadFile("../fakes/login1-257.xml")
	must(t, err)
	var got string
	must(t, manager.CallWithContext(deadline(t), "org.freedesktop.DBus.Introspectable.Introspect", 0).Store(&got))
	if got != string(want) {
		t.Errorf("introspection: got %q", got)
	}
	var all map[string]dbus.Variant
	must(t, manager.CallWithContext(deadline(t), properties+".GetAll", 0, login1+".Manager").Store(&all))
	if got, want := all["InhibitDelayMaxUSec"], dbus.MakeVariant(uint64(5_000_000)); got != want {
		t.Errorf("InhibitDelayMaxUSec: got %v, want %v", got, want)
	}
}

func TestLogin1VanishesAndAppears(t *testing.T) {
	sb := up(t, sandbox.Options{NoNetworkManager: true})
	manager, _ := manager(t, sb)
	must(t, sb.Login1.SetLid(true))
	must(t, sb.Login1.Vanish())
	get := properties + ".Get"
	if err := manager.CallWithContext(deadline(t), get, 0, login1+".Manager", "LidClosed").Err; err == nil {
		t.Error("login1 answers after it vanished")
	}
	must(t, sb.Login1.Appear(deadline(t)))
	if !lidClosed(t, manager) {
		t.Error("the lid opened while login1 was away")
	}
}

func TestInhibitorLastsUntilItsFileIsClosed(t *testing.T) {
	sb := up(t, sandbox.Options{NoNetworkManager: true})
	conn, err := dbus.Connect(sandbox.SystemBusAddress) // the one that takes files
	must(t, err)
	defer conn.Close()
	_, changed := sb.Login1.Inhibitors()
	var lock dbus.UnixFD
	must(t, conn.Object(login1, login1Path).CallWithContext(deadline(t), login1+".Manager.Inhibit", 0,
		"sleep", "test", "why not", "delay").Store(&lock))
	<-changed
	held, changed := sb.Login1.Inhibitors()
	if len(held) != 1 || held[0].What != "sleep" || held[0].Mode != "delay" || held[0].Who != "test" {
		t.Errorf("held: %+v", held)
	}
	must(t, os.NewFile(uintptr(lock), "lock").Close())
	<-changed
	if held, _ := sb.Login1.Inhibitors(); len(held) != 0 {
		t.Errorf("still held: %+v", held)
	}
}

func TestLocksAreSignalled(t *testing.T) {
	for generation, count := range map[fakes.Generation]bool{fakes.Logind257: false, fakes.Logind262: true} {
		t.Run(string(generation), func(t *testing.T) {
			sb := up(t, sandbox.Options{NoNetworkManager: true, Login1: generation})
			_, signals := manager(t, sb)
			conn, err := dbus.Connect(sandbox.SystemBusAddress)
			must(t, err)
			defer conn.Close()
			must(t, conn.Object(login1, login1Path).CallWithContext(deadline(t), login1+".Manager.Inhibit", 0,
				"sleep", "test", "why not", "delay").Err)
			signal := next(t, signals)
			changed, _ := signal.Body[1].(map[string]dbus.Variant)
			if _, counted := changed["NCurrentInhibitors"]; changed["DelayInhibited"] != dbus.MakeVariant("sleep") || counted != count {
				t.Errorf("signalled %v", signal)
			}
		})
	}
}
