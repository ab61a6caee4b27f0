package main

import (
	"context"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

const (
	networkManager = "org.freedesktop.NetworkManager"
	settings       = networkManager + ".Settings"

	// completionTimeout bounds what completion asks: somebody waits with a
	// finger on the key.
	completionTimeout = 500 * time.Millisecond
)

// profileInstances returns the names of NetworkManager's profiles, as the
// instances of connection@.target have them; none where it does not tell
// (https://networkmanager.dev/docs/api/latest/gdbus-org.freedesktop.NetworkManager.Settings.html).
func profileInstances() []string {
	ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
	defer cancel()
	system, err := dbus.Connect(bus.SystemAddress(), dbus.WithContext(ctx))
	if err != nil {
		return nil
	}
	defer system.Close()
	var paths []dbus.ObjectPath
	manager := system.Object(networkManager, "/org/freedesktop/NetworkManager/Settings")
	if err := manager.CallWithContext(ctx, settings+".ListConnections", dbus.FlagNoAutoStart).Store(&paths); err != nil {
		return nil
	}
	var instances []string
	for _, path := range paths {
		var groups map[string]map[string]dbus.Variant
		call := system.Object(networkManager, path).CallWithContext(ctx, settings+".Connection.GetSettings", dbus.FlagNoAutoStart)
		if err := call.Store(&groups); err != nil {
			continue // it has gone, or is another user's
		}
		if name, ok := groups["connection"]["id"].Value().(string); ok {
			instances = append(instances, observers.Escape(name))
		}
	}
	slices.Sort(instances)
	return slices.Compact(instances)
}
