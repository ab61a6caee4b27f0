package chaos

import (
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

// profileName is a name of a NetworkManager profile, and what systemd-escape(1) makes of it.
type profileName struct{ name, instance string }

// home is the profile of the cable.
const home = "home"

// profileNames are the names that profiles are given.
func profileNames() []profileName {
	return []profileName{
		{home, home},
		{"Home Wifi", `Home\x20Wifi`},
		{"Café/5 GHz", `Caf\xc3\xa9-5\x20GHz`},
		{"-a@b.", `\x2da\x40b.`},
		{office, `Mein\x20B\xc3\xbcro`},
		{foreignBridge, foreignBridge},
		{foreignTunnel, foreignTunnel},
		{second, second},
	}
}

func instances() []string {
	var all []string
	for _, p := range profileNames() {
		all = append(all, p.instance)
	}
	return all
}

// nameOf returns the name that an instance stands for.
func nameOf(instance string) string {
	for _, p := range profileNames() {
		if p.instance == instance {
			return p.name
		}
	}
	return instance
}

// instanceOf returns the instance of a name. A name that NetworkManager chose itself is that of an
// interface.
func instanceOf(name string) string {
	for _, p := range profileNames() {
		if p.name == name {
			return p.instance
		}
	}
	return name
}

// profile is an active connection.
type profile struct {
	name, kind       string
	vpn              bool
	state            uint32
	routes4, routes6 bool // whether it has a default route
	devices          []dbus.ObjectPath
}

// activated is the NMActiveConnectionState of a connection that is up.
const activated = 2

// takeProfiles stores which connections are active.
func (n *network) takeProfiles(active map[dbus.ObjectPath]profile) {
	var up []string
	n.vpn = false
	for _, p := range active {
		if p.state == activated && p.kind != "loopback" {
			up = append(up, instanceOf(p.name))
			n.vpn = n.vpn || p.vpn
		}
	}
	slices.Sort(up)
	n.profiles = strings.Join(slices.Compact(up), " ")
}
