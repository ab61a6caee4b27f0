package integration

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// openvpn is the service type of the VPNs of NetworkManager's plugin for openvpn.
const openvpn = "org.freedesktop.NetworkManager.openvpn"

// beginWithVPNs brings up a sandbox with a VPN's server.
func beginWithVPNs(t *testing.T) (*scene, *sandbox.VPN) {
	t.Helper()
	s := begin(t, sandbox.Options{})
	return s, s.vpns()
}

// vpns starts a VPN's server, and adds a profile that dials it, "Office".
func (s *scene) vpns() *sandbox.VPN {
	s.Helper()
	vpn, err := s.StartVPN(s.ctx)
	s.must(err)
	conn, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer conn.Close()
	const settings = "org.freedesktop.NetworkManager.Settings"
	s.must(conn.Object("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager/Settings").CallWithContext(s.ctx,
		settings+".AddConnection", 0, map[string]map[string]dbus.Variant{
			"connection": {"id": dbus.MakeVariant("Office"), "type": dbus.MakeVariant("vpn"), "autoconnect": dbus.MakeVariant(false)},
			"vpn":        {"service-type": dbus.MakeVariant(openvpn), "data": dbus.MakeVariant(vpn.Data())},
			"ipv4":       {"method": dbus.MakeVariant("auto"), "never-default": dbus.MakeVariant(true)},
			"ipv6":       {"method": dbus.MakeVariant("disabled")},
		}).Err)
	return vpn
}

// vpn waits for a position of the vpn switch: "up" or "down".
func (s *scene) vpn(position string) {
	s.Helper()
	other := map[string]string{"up": "down", "down": "up"}[position]
	s.expect("active", "vpn-"+position+".target")
	s.expect("inactive", "vpn-"+other+".target")
}

// dial brings the profile up and waits until the bridge knows about it. The server does
// not answer until it is resumed.
func (s *scene) dial(vpn *sandbox.VPN) {
	s.Helper()
	s.must(vpn.Pause())
	s.nmcli("--wait", "0", "connection", "up", "id", "Office")
	s.knows("Activating", true)
}

// killPlugin kills the plugin that keeps the VPN.
func (s *scene) killPlugin() {
	s.Helper()
	conn, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer conn.Close()
	var names []string
	s.must(conn.BusObject().CallWithContext(s.ctx, "org.freedesktop.DBus.ListNames", 0).Store(&names))
	plugins := slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, openvpn) })
	if len(plugins) == 0 {
		s.Fatal("the plugin is not on the bus")
	}
	for _, name := range plugins {
		var pid uint32
		s.must(conn.BusObject().CallWithContext(s.ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, name).Store(&pid))
		s.must(syscall.Kill(int(pid), syscall.SIGKILL))
	}
}

// noClient waits until openvpn has ended at this end, and its device with it. A client that
// still ends, which may take seconds, would get the device's name when the server is resumed.
func (s *scene) noClient() {
	s.Helper()
	s.until("openvpn has ended", func() bool {
		processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
		s.must(err)
		return !slices.ContainsFunc(processes, func(file string) bool {
			line, _ := os.ReadFile(file) // it may have gone
			return strings.Contains(string(line), "openvpn\x00") && strings.Contains(string(line), "\x00--client\x00")
		})
	})
}

// knows waits until a value is, or is not, among the facts of the bridge.
func (s *scene) knows(value string, want bool) {
	s.Helper()
	for {
		var r report
		s.must(json.Unmarshal([]byte(s.user("~/.local/bin/nm-session-bridge status --json")), &r))
		if slices.Contains(slices.Collect(maps.Values(r.Facts)), value) == want {
			return
		}
		select {
		case <-s.ctx.Done():
			s.Fatalf("%q does not come to be (%t) among %v", value, want, r.Facts)
		case <-time.After(50 * time.Millisecond): // not all facts are signalled
		}
	}
}

func TestAVPNOfAPluginConnectsFailsAndDrops(t *testing.T) {
	s, vpn := beginWithVPNs(t)
	const office = "connection@Office.target"
	s.enable("tunnel.service", whileUnit("vpn-up.target"))
	s.enable("office.service", whileUnit(office))
	s.install()
	s.online()
	s.vpn("down")

	// NetworkManager gives up a server that does not answer.
	s.must(vpn.Pause())
	s.nmcli("connection", "modify", "id", "Office", "vpn.timeout", "1")
	if said, err := s.NM.Nmcli(s.ctx, "connection", "up", "id", "Office"); err == nil {
		t.Errorf("the VPN has come up: %s", said)
	}
	s.nmcli("connection", "modify", "id", "Office", "vpn.timeout", "0") // the usual minute
	s.knows("Office", false)
	s.noClient()
	s.vpn("down")
	s.profiles("home")
	s.started("vpn-up.target", 0)
	s.started(office, 0)

	up := func(times int) {
		s.Helper()
		s.dial(vpn)
		s.vpn("down")
		s.must(vpn.Resume())
		s.vpn("up")
		s.profiles("home", "Office", "tun0")
		s.expect("active", "tunnel.service", "office.service")
		for _, unit := range []string{"vpn-up.target", office, "tunnel.service", "office.service"} {
			s.started(unit, times)
		}
	}
	down := func() {
		s.Helper()
		s.vpn("down")
		s.expect("inactive", office, "tunnel.service", "office.service")
	}
	for times, end := range []func(){
		func() { s.must(vpn.Drop(s.ctx)) },
		func() { s.nmcli("connection", "down", "id", "Office") },
	} {
		up(times + 1)
		end()
		down()
		s.noClient()
		s.expect("inactive", "connection@tun0.target")
		s.profiles("home")
	}
	up(3)
	s.killPlugin()
	down()
	s.profiles("home", "tun0") // openvpn goes on, unknown to NetworkManager
	s.started("connection@home.target", 1)
	s.neverBoth("vpn-up.target", "vpn-down.target")
}
