package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// brokerPrograms are dbus-broker's, in the order in which one starts the other by its full name.
var brokerPrograms = []string{"/usr/bin/dbus-broker-launch", "/usr/bin/dbus-broker"}

// UnpackedBroker is the directory that holds Debian's package dbus-broker where it is not installed but
// unpacked: installing it makes it the machine's own bus at the next start.
func UnpackedBroker() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "nm-session-bridge", "dbus-broker"), nil
}

// BrokerInstalled tells whether dbus-broker is installed in the machine.
func BrokerInstalled() bool {
	for _, program := range brokerPrograms {
		if !exists(program) {
			return false
		}
	}
	return true
}

// ErrNoBroker is returned by Up when there is no dbus-broker.
var ErrNoBroker = errors.New("dbus-broker is neither installed nor unpacked; go run ./integration/packages test provides it")

// startBroker starts dbus-broker as systemd does, with the listening socket handed in.
func (b *SystemBus) startBroker(ctx context.Context) error {
	if err := provideBroker(); err != nil {
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
	notify, err := newNotifySocket("broker")
	if err != nil {
		return err
	}
	defer notify.close()
	// Only the shell knows the process id that the launcher will have.
	cmd := exec.Command("/bin/sh", "-c", "LISTEN_PID=$$ exec "+brokerPrograms[0]+" --scope system")
	cmd.Env = []string{"LISTEN_FDS=1", notify.environment()}
	cmd.ExtraFiles = []*os.File{socket}
	b.daemon, err = b.sb.start("system-bus", "system.slice/dbus-broker.service", cmd)
	if err != nil {
		return err
	}
	return b.daemon.await(ctx, notify.ready)
}

// provideBroker lays an unpacked dbus-broker under /usr/bin, where its launcher looks for it.
func provideBroker() error {
	if BrokerInstalled() {
		return nil
	}
	unpacked, err := UnpackedBroker()
	if err != nil {
		return err
	}
	if !exists(unpacked + brokerPrograms[0]) {
		return ErrNoBroker
	}
	if strings.ContainsAny(unpacked, ":,\\") {
		return fmt.Errorf("%s cannot be laid under /usr/bin because of its name", unpacked)
	}
	layers := "lowerdir=/usr/bin:" + unpacked + "/usr/bin"
	if err := unix.Mount("overlay", "/usr/bin", "overlay", unix.MS_RDONLY, layers); err != nil {
		return fmt.Errorf("lay %s under /usr/bin: %w", unpacked, err)
	}
	return nil
}
