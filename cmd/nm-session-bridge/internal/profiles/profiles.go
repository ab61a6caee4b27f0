// Package profiles knows NetworkManager's connection profiles by their names
// (https://networkmanager.dev/docs/api/latest/gdbus-org.freedesktop.NetworkManager.Settings.html).
package profiles

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/suggest"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

const (
	service  = "org.freedesktop.NetworkManager"
	path     = "/org/freedesktop/NetworkManager/Settings"
	settings = service + ".Settings"
	gone     = "org.freedesktop.DBus.Error.UnknownMethod" // of an object that no longer exists
)

// Names returns the names of the profiles in order and without duplicates. It leaves out
// the loopback device's, which no target follows. The error says why some are missing:
// NetworkManager hides the profiles of other users.
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

// Meant returns the instance of connection@.target that a given one was meant to be: the
// same instance if it is a profile's, and "" if that is unclear. The words say what is
// wrong with the given instance; the caller writes meant, if any, after them.
func Meant(instance string, profiles []string) (words, meant string) {
	if slices.ContainsFunc(profiles, func(name string) bool { return observers.Escape(name) == instance }) {
		return "", instance
	}
	name, isEscaped := observers.Unescape(instance)
	for _, verbatim := range []string{instance, name, strings.ReplaceAll(name, "/", "-")} {
		if slices.Contains(profiles, verbatim) {
			return fmt.Sprintf("units write the profile %q as ", verbatim), observers.Escape(verbatim)
		}
	}
	for _, misspelt := range []string{name, instance} {
		if right, found := suggest.Name(misspelt, profiles); found {
			return fmt.Sprintf("no profile is called %q, but %q is, which units write as ", misspelt, right), observers.Escape(right)
		}
	}
	if !isEscaped {
		return fmt.Sprintf("no profile is called %q, which units would write as ", instance), observers.Escape(instance)
	}
	return fmt.Sprintf("no profile is called %q", name), ""
}
