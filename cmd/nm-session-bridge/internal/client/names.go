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

// Off is the value of a switch's property if the running bridge leaves the switch
// out.
const Off = "off"

// Properties of the interface besides those of the switches: raw values by name,
// and the positions in which switches are held, by switch.
const (
	FactsProperty     = "Facts"
	OverridesProperty = "Overrides"
)

// HeldByHand is the reason of a transition that somebody made with set.
const HeldByHand = "held by hand"

// DelayShare is the greatest part of logind's InhibitDelayMaxSec= for which the
// bridge holds a delay lock. The rest is time for logind to learn that the lock
// was released.
const DelayShare = 0.8

// PropertyOf returns the name of a switch's property: Internet for internet.
func PropertyOf(name string) string {
	return strings.ToUpper(name[:1]) + name[1:]
}
