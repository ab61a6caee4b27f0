package fakes

import (
	"context"
	"fmt"
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	upowerName = "org.freedesktop.UPower"
	upowerPath = dbus.ObjectPath("/org/freedesktop/UPower")
)

// UPowerPolicy is the bus policy of UPower's package, for a file in /etc/dbus-1/system.d.
const UPowerPolicy = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <policy user="root"><allow own="org.freedesktop.UPower"/></policy>
  <policy context="default"><allow send_destination="org.freedesktop.UPower"/></policy>
</busconfig>
`

// UPower is a fake org.freedesktop.UPower of a machine without a lid. It is safe for concurrent use.
type UPower struct {
	conn *dbus.Conn

	mu        sync.Mutex
	onBattery bool
}

// NewUPower puts a fake UPower on a bus, over a connection that may own its name. The fake stays
// until the connection is closed.
func NewUPower(ctx context.Context, conn *dbus.Conn, onBattery bool) (*UPower, error) {
	u := &UPower{conn: conn, onBattery: onBattery}
	if err := conn.ExportMethodTable(map[string]any{"GetAll": u.getAll}, upowerPath, propertiesIfc); err != nil {
		return nil, fmt.Errorf("upower: %w", err)
	}
	if err := own(ctx, conn, upowerName); err != nil {
		return nil, fmt.Errorf("upower: %w", err)
	}
	return u, nil
}

// SetOnBattery unplugs the machine, or plugs it in, and signals it.
func (u *UPower) SetOnBattery(onBattery bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.onBattery = onBattery
	return u.conn.Emit(upowerPath, propertiesIfc+".PropertiesChanged",
		upowerName, map[string]dbus.Variant{"OnBattery": dbus.MakeVariant(onBattery)}, []string{})
}

func (u *UPower) getAll(ifc string) (map[string]dbus.Variant, *dbus.Error) {
	if ifc != upowerName {
		return map[string]dbus.Variant{}, nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return map[string]dbus.Variant{
		"DaemonVersion": dbus.MakeVariant("0.99.20"), "OnBattery": dbus.MakeVariant(u.onBattery),
		"LidIsClosed": dbus.MakeVariant(false), "LidIsPresent": dbus.MakeVariant(false),
	}, nil
}

// own takes a name on a bus.
func own(ctx context.Context, conn *dbus.Conn, name string) error {
	var reply uint32
	err := conn.BusObject().CallWithContext(ctx, busName+".RequestName", 0, name, uint32(dbus.NameFlagDoNotQueue)).Store(&reply)
	if err == nil && dbus.RequestNameReply(reply) != dbus.RequestNameReplyPrimaryOwner {
		err = fmt.Errorf("the name is taken (%d)", reply)
	}
	if err != nil {
		return fmt.Errorf("cannot own %s: %w", name, err)
	}
	return nil
}
