package client

import (
	"strings"

	"github.com/godbus/dbus/v5"
)

// The bridge's name, object and interface on the session bus.
const (
	Name      = "org.nmsessionbridge.Bridge1"
	Path      = dbus.ObjectPath("/org/nmsessionbridge/Bridge1")
	Interface = Name
)

// Off is the value of a switch's property where the running bridge leaves the
// switch out.
const Off = "off"

// PropertyOf returns the name of a switch's property: Internet for internet.
func PropertyOf(name string) string {
	return strings.ToUpper(name[:1]) + name[1:]
}
