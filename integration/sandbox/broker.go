package sandbox

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/nm-session-bridge/nm-session-bridge/integration/needs"
)

// isBroker reports whether the bus must be dbus-broker. By default it is the one that
// the distribution uses as dbus.service.
func (b Bus) isBroker() bool {
	if b == "" {
		usual, err := os.Readlink("/etc/systemd/system/dbus.service")
		return err == nil && filepath.Base(usual) == "dbus-broker.service"
	}
	return b == DbusBroker
}

// startBroker starts dbus-broker as systemd does, with the listening socket handed in.
func (b *SystemBus) startBroker(ctx context.Context) error {
	if err := needs.Check([]needs.Package{needs.Broker()}); err != nil {
		return err
	}
	if err := os.Remove(systemBusPath); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: systemBusPath, Net: "unix"})
	if err != nil {
		return err
	}
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	if err := os.Chmod(systemBusPath, 0o666); err != nil {
		return err
	}
	socket, err := listener.File()
	if err != nil {
		return err
	}
	defer socket.Close()
	// Only the shell knows the launcher's future process ID.
	cmd := exec.Command("/bin/sh", "-c", "LISTEN_PID=$$ exec dbus-broker-launch --scope system")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LISTEN_FDS=1"}
	cmd.ExtraFiles = []*os.File{socket}
	b.daemon, err = b.sb.startNotifying(ctx, "system-bus", "system.slice/dbus-broker.service", cmd)
	return err
}
