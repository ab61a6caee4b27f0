package fakes

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

const (
	upowerName = "org.freedesktop.UPower"
	upowerPath = dbus.ObjectPath("/org/freedesktop/UPower")
)

// UPowerPolicy is what UPower's package allows on the system bus, for a file in /etc/dbus-1/system.d.
const UPowerPolicy = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <policy user="root"><allow own="org.freedesktop.UPower"/></policy>
  <policy context="default"><allow send_destination="org.freedesktop.UPower"/></policy>
</busconfig>
`

// UPower is a fake org.freedesktop.UPower of a desktop machine, which never changes.
type UPower struct{ conn *dbus.Conn }

// NewUPower puts one on a bus, over a connection that may own its name.
func NewUPower(ctx context.Context, conn *dbus.Conn) (UPower, error) {
	u := UPower{conn}
	if err := conn.ExportMethodTable(map[string]any{"GetAll": u.getAll}, upowerPath, propertiesIfc); err != nil {
		return u, fmt.Errorf("upower: %w", err)
	}
	var reply uint32
	err := conn.BusObject().CallWithContext(ctx, busName+".RequestName", 0, upowerName, uint32(dbus.NameFlagDoNotQueue)).Store(&reply)
	if err == nil && dbus.RequestNameReply(reply) != dbus.RequestNameReplyPrimaryOwner {
		err = fmt.Errorf("the name is taken (%d)", reply)
	}
	if err != nil {
		return u, fmt.Errorf("upower: own %s: %w", upowerName, err)
	}
	return u, nil
}

func (UPower) getAll(ifc string) (map[string]dbus.Variant, *dbus.Error) {
	if ifc != upowerName {
		return map[string]dbus.Variant{}, nil
	}
	return map[string]dbus.Variant{
		"DaemonVersion": dbus.MakeVariant("0.99.20"), "OnBattery": dbus.MakeVariant(false),
		"LidIsClosed": dbus.MakeVariant(false), "LidIsPresent": dbus.MakeVariant(false),
	}, nil
}
