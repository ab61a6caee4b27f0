package sandbox

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/godbus/dbus/v5"
)

// SystemBusAddress is the D-Bus address of the sandbox's system bus.
const SystemBusAddress = "unix:path=" + systemBusPath

const systemBusPath = "/run/dbus/system_bus_socket"

// Bus is an implementation of a bus.
type Bus string

// The implementations.
const (
	DbusDaemon Bus = "dbus-daemon"
	DbusBroker Bus = "dbus-broker"
)

// SystemBus is the distribution's dbus-daemon or dbus-broker with its stock policy. Nothing can be activated
// on it.
type SystemBus struct {
	sb     *Sandbox
	kind   Bus
	daemon *daemon
}

// Start starts the bus and returns when it accepts connections.
func (b *SystemBus) Start(ctx context.Context) error {
	if b.daemon.running() {
		return nil
	}
	if err := os.MkdirAll("/run/dbus", 0o755); err != nil {
		return err
	}
	if b.kind.isBroker() {
		return b.startBroker(ctx)
	}
	return b.startDaemon(ctx)
}

func (b *SystemBus) startDaemon(ctx context.Context) error {
	cmd := exec.Command("dbus-daemon", "--config-file=/usr/share/dbus-1/system.conf", "--address="+SystemBusAddress,
		"--nofork", "--nopidfile", "--nosyslog", "--print-address=3")
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	cmd.ExtraFiles = []*os.File{write}
	b.daemon, err = b.sb.start("system-bus", "system.slice/dbus.service", cmd)
	write.Close()
	if err != nil {
		return err
	}
	ready := make(chan error, 1)
	go func() {
		_, err := read.Read(make([]byte, 256))
		ready <- err
	}()
	return b.daemon.await(ctx, ready)
}

// Stop ends the bus with SIGTERM and waits for its end.
func (b *SystemBus) Stop(ctx context.Context) error { return b.daemon.stop(ctx, syscall.SIGTERM) }

// Kill ends the bus with SIGKILL and waits for its end. Daemons that cannot live without it, such
// as NetworkManager, end by themselves.
func (b *SystemBus) Kill(ctx context.Context) error { return b.daemon.stop(ctx, syscall.SIGKILL) }

// Connect returns a connection of root. The caller closes it.
func (b *SystemBus) Connect(ctx context.Context) (*dbus.Conn, error) {
	socket, err := (&net.Dialer{}).DialContext(ctx, "unix", systemBusPath)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the system bus: %w", err)
	}
	return greet(ctx, socket, os.Geteuid(), dbus.NewSequentialSignalHandler())
}

// ConnectSystemBusAsUser returns a connection of the user to the system bus. The caller closes it.
func (sb *Sandbox) ConnectSystemBusAsUser(ctx context.Context) (*dbus.Conn, error) {
	return connectAs(ctx, UID, systemBusPath, dbus.NewSequentialSignalHandler())
}

// ConnectSessionBus returns a connection of the user to the session bus. The caller closes it.
func (sb *Sandbox) ConnectSessionBus(ctx context.Context) (*dbus.Conn, error) {
	return connectAs(ctx, UID, SessionBus, dbus.NewSequentialSignalHandler())
}

// DialSystemBus opens a socket to the system bus as a user, who need not have a name. It sends
// nothing yet. The caller closes it.
func (sb *Sandbox) DialSystemBus(uid int) (net.Conn, error) { return dialAs(uid, systemBusPath) }

// DialSessionBus opens a socket to the user's session bus as any user. It sends nothing yet. The
// caller closes it.
func (sb *Sandbox) DialSessionBus(uid int) (net.Conn, error) { return dialAs(uid, SessionBus) }

// ConnectSystemBusAs returns a connection to the system bus as any user, even one that does not
// exist. The caller closes it.
func (sb *Sandbox) ConnectSystemBusAs(ctx context.Context, uid int) (*dbus.Conn, error) {
	return connectAs(ctx, uid, systemBusPath, dbus.NewSequentialSignalHandler())
}

// ConnectSessionBusWith is like ConnectSessionBus, with a handler that gets each signal as it
// arrives.
func (sb *Sandbox) ConnectSessionBusWith(ctx context.Context, signals dbus.SignalHandler) (*dbus.Conn, error) {
	return connectAs(ctx, UID, SessionBus, signals)
}

func connectAs(ctx context.Context, uid int, path string, signals dbus.SignalHandler) (*dbus.Conn, error) {
	socket, err := dialAs(uid, path)
	if err != nil {
		return nil, fmt.Errorf("cannot connect as user %d: %w", uid, err)
	}
	return greet(ctx, socket, uid, signals)
}

// greet authenticates and says Hello. The context bounds the greeting only.
func greet(ctx context.Context, socket net.Conn, uid int, signals dbus.SignalHandler) (*dbus.Conn, error) {
	conn, err := dbus.NewConn(socket, dbus.WithSignalHandler(signals))
	if err != nil {
		return nil, join(err, socket.Close())
	}
	abort := context.AfterFunc(ctx, func() { socket.Close() })
	defer abort()
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(uid))})
	if err == nil {
		err = conn.Hello()
	}
	if err != nil {
		return nil, join(fmt.Errorf("cannot greet the bus: %w", err), ctx.Err(), conn.Close())
	}
	return conn, nil
}
