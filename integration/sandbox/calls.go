package sandbox

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

const (
	dbusName      = "org.freedesktop.DBus"
	propertiesIfc = "org.freedesktop.DBus.Properties"
)

// ownerMatch matches the bus's signal that a name has a new owner.
func ownerMatch(name string) []dbus.MatchOption {
	return []dbus.MatchOption{
		dbus.WithMatchSender(dbusName),
		dbus.WithMatchInterface(dbusName),
		dbus.WithMatchMember("NameOwnerChanged"),
		dbus.WithMatchArg(0, name),
	}
}

// waitForOwner waits until somebody owns the name.
func waitForOwner(ctx context.Context, conn *dbus.Conn, name string) error {
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	defer conn.RemoveSignal(signals)
	if err := conn.AddMatchSignalContext(ctx, ownerMatch(name)...); err != nil {
		return fmt.Errorf("watch %s: %w", name, err)
	}
	for {
		var owned bool
		err := conn.BusObject().CallWithContext(ctx, dbusName+".NameHasOwner", 0, name).Store(&owned)
		if err != nil {
			return fmt.Errorf("cannot look for %s: %w", name, err)
		}
		if owned {
			return nil
		}
		select {
		case _, open := <-signals:
			if !open {
				return fmt.Errorf("wait for %s: the bus is gone", name)
			}
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", name, ctx.Err())
		}
	}
}

// get reads a property.
func get(ctx context.Context, conn *dbus.Conn, name string, path dbus.ObjectPath, ifc, property string) (dbus.Variant, error) {
	var value dbus.Variant
	call := conn.Object(name, path).CallWithContext(ctx, propertiesIfc+".Get", dbus.FlagNoAutoStart, ifc, property)
	if err := call.Store(&value); err != nil {
		return dbus.Variant{}, fmt.Errorf("cannot read %s: %w", property, err)
	}
	return value, nil
}

func readUint32(ctx context.Context, conn *dbus.Conn, name string, path dbus.ObjectPath, ifc, property string) (uint32, error) {
	value, err := get(ctx, conn, name, path, ifc, property)
	if err != nil {
		return 0, err
	}
	number, ok := value.Value().(uint32)
	if !ok {
		return 0, fmt.Errorf("read %s: it is a %s", property, value.Signature())
	}
	return number, nil
}
