package fakes

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

const (
	// VPNService is the type of the VPNs that [VPN] makes.
	VPNService = "org.freedesktop.NetworkManager.fake"

	vpnPlugin = "org.freedesktop.NetworkManager.VPN.Plugin"
	vpnPath   = dbus.ObjectPath("/org/freedesktop/NetworkManager/VPN/Plugin")
)

// VPNInfo announces the type to NetworkManager, in a file in /etc/NetworkManager/VPN. The program
// never runs, because the service exists already.
const VPNInfo = `[VPN Connection]
name=fake
service=` + VPNService + `
program=/bin/false
`

// VPNPolicy is the bus policy of a plugin's package, for a file in /etc/dbus-1/system.d.
const VPNPolicy = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <policy user="root"><allow own="` + VPNService + `"/><allow send_destination="` + VPNService + `"/></policy>
</busconfig>
`

// NMVpnServiceState, https://networkmanager.dev/docs/libnm/latest/libnm-nm-vpn-dbus-interface.html
const (
	vpnStarting = uint32(3)
	vpnStarted  = uint32(4)
	vpnStopped  = uint32(6)
)

// VPN is a plugin that makes VPNs for a real NetworkManager. Chaos uses it instead of
// the openvpn plugin. That needs a second for a handshake, and leaves a program and a
// device behind when it or the bus is killed, so the model could not say when the VPN is
// up.
type VPN struct {
	conn *dbus.Conn
	// Connects receives a value each time that a VPN should connect, if there is room.
	Connects chan struct{}
}

// NewVPN puts the plugin on a bus, over a connection that may own its name.
func NewVPN(ctx context.Context, conn *dbus.Conn) (*VPN, error) {
	v := &VPN{conn: conn, Connects: make(chan struct{}, 1)}
	type settings = map[string]map[string]dbus.Variant
	methods := map[string]any{
		"NeedSecrets": func(settings) (string, *dbus.Error) { return "", nil },
		"Connect":     func(settings) *dbus.Error { return v.connect() },
		"ConnectInteractive": func(settings, map[string]dbus.Variant) *dbus.Error {
			return v.connect()
		},
		"Disconnect":   func() *dbus.Error { return failedCall(v.state(vpnStopped)) },
		"SetConfig":    func(map[string]dbus.Variant) *dbus.Error { return nil },
		"SetIp4Config": func(map[string]dbus.Variant) *dbus.Error { return nil },
		"SetFailure":   func(string) *dbus.Error { return nil },
	}
	if err := conn.ExportMethodTable(methods, vpnPath, vpnPlugin); err != nil {
		return nil, fmt.Errorf("VPN: %w", err)
	}
	if err := own(ctx, conn, VPNService); err != nil {
		return nil, fmt.Errorf("VPN: %w", err)
	}
	return v, nil
}

func (v *VPN) connect() *dbus.Error {
	select {
	case v.Connects <- struct{}{}:
	default:
	}
	return failedCall(v.state(vpnStarting))
}

// Establish brings up the VPN that is connecting, with the address 10.98.0.1. Like an IPsec VPN it
// has no interface.
func (v *VPN) Establish() error {
	const address = uint32(10 | 98<<8 | 0<<16 | 1<<24) // in network byte order
	for _, config := range []struct {
		signal string
		values map[string]dbus.Variant
	}{
		{"Config", map[string]dbus.Variant{
			"gateway": dbus.MakeVariant(address), "has-ip4": dbus.MakeVariant(true), "has-ip6": dbus.MakeVariant(false),
		}},
		{"Ip4Config", map[string]dbus.Variant{
			"address": dbus.MakeVariant(address), "prefix": dbus.MakeVariant(uint32(24)), "never-default": dbus.MakeVariant(true),
		}},
	} {
		if err := v.conn.Emit(vpnPath, vpnPlugin+"."+config.signal, config.values); err != nil {
			return err
		}
	}
	return v.state(vpnStarted)
}

func (v *VPN) state(state uint32) error {
	return v.conn.Emit(vpnPath, vpnPlugin+".StateChanged", state)
}

func failedCall(err error) *dbus.Error {
	if err == nil {
		return nil
	}
	return dbus.MakeFailedError(err)
}
