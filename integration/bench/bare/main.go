// Bare starts a user target for each position of a lid, in the simplest way
// that godbus allows. The benchmark compares the bridge with it.
package main

import (
	"fmt"
	"os"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/godbus/dbus/v5"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: bare PATH OPEN CLOSED")
		os.Exit(2)
	}
	if err := listen(dbus.ObjectPath(os.Args[1]), os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func listen(path dbus.ObjectPath, open, closed string) error {
	session, err := dbus.ConnectSessionBus()
	if err != nil {
		return err
	}
	system, err := dbus.ConnectSystemBus()
	if err != nil {
		return err
	}
	signals := make(chan *dbus.Signal, 16)
	system.Signal(signals)
	err = system.AddMatchSignal(
		dbus.WithMatchObjectPath(path),
		dbus.WithMatchInterface("org.freedesktop.DBus.Properties"),
		dbus.WithMatchMember("PropertiesChanged"),
	)
	if err != nil {
		return err
	}
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		return err
	}
	manager := session.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
	for signal := range signals {
		var iface string
		var changed map[string]dbus.Variant
		var invalidated []string
		if dbus.Store(signal.Body, &iface, &changed, &invalidated) != nil {
			continue
		}
		isClosed, told := changed["LidClosed"].Value().(bool)
		target := open
		if isClosed {
			target = closed
		}
		if told {
			_ = manager.Call("org.freedesktop.systemd1.Manager.StartUnit", 0, target, "replace").Err
		}
	}
	return nil
}
