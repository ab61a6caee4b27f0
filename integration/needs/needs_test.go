package needs_test

import (
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/needs"
)

func TestInstallCommand(t *testing.T) {
	for manager, want := range map[string]string{
		"apt-get": "apt-get install dbus-daemon dbus-system-bus-common dbus-user-session systemd network-manager dnsmasq-base iproute2",
		"dnf":     "dnf install dbus-daemon dbus-common systemd NetworkManager dnsmasq iproute",
		"pacman":  "pacman -S --needed dbus systemd networkmanager dnsmasq iproute2",
	} {
		if got := needs.InstallCommand(manager, needs.Sandbox()); got != want {
			t.Errorf("%s: got %q, want %q", manager, got, want)
		}
	}
}
