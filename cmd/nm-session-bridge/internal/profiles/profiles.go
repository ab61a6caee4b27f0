// Package profiles reads the names of NetworkManager's connection profiles
// (https://networkmanager.dev/docs/api/latest/gdbus-org.freedesktop.NetworkManager.Settings.html).
package profiles

import (
	"context"
	"errors"
	"slices"

	"github.com/godbus/dbus/v5"
)

const (
	service  = "org.freedesktop.NetworkManager"
	path     = "/org/freedesktop/NetworkManager/Settings"
	settings = service + ".Settings"
	gone     = "org.freedesktop.DBus.Error.UnknownMethod" // an object's that is no longer there
)

// Names returns the names of the profiles in order, each once, without that of
// the loopback device, which no target follows. The error says why some of them
// are missing: those of other users are not told.
func Names(ctx context.Context, system *dbus.Conn) ([]string, error) {
	var paths []dbus.ObjectPath
	if err := system.Object(service, path).CallWithContext(ctx, settings+".ListConnections", dbus.FlagNoAutoStart).Store(&paths); err != nil {
		return nil, err
	}
	var names []string
	var missing error
	for _, path := range paths {
		var groups map[string]map[string]dbus.Variant
		call := system.Object(service, path).CallWithContext(ctx, settings+".Connection.GetSettings", dbus.FlagNoAutoStart)
		if err := call.Store(&groups); err != nil {
			var refusal dbus.Error
			if !errors.As(err, &refusal) || refusal.Name != gone {
				missing = err
			}
			continue
		}
		name, isText := groups["connection"]["id"].Value().(string)
		if kind := groups["connection"]["type"].Value(); isText && kind != "loopback" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), missing
}
