package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

const (
	userSlice    = "user.slice/user-100000.slice"
	userUnit     = userSlice + "/user@100000.service"
	sessionScope = userSlice + "/session-1.scope"
)

// UserManager is the user's real systemd --user, with the session bus it starts.
type UserManager struct {
	sb     *Sandbox
	bus    Bus
	daemon *daemon
}

// Start starts the user manager and returns when it says that it is ready and has joined the session bus.
func (m *UserManager) Start(ctx context.Context) error {
	if m.daemon.running() {
		return nil
	}
	if err := makeOwnRuntimeDir(); err != nil {
		return fmt.Errorf("cannot make %s: %w", RuntimeDir, err)
	}
	if err := m.chooseBus(); err != nil {
		return err
	}
	group, err := makeCgroup(userUnit)
	if err != nil {
		return err
	}
	if err := group.delegate(UID, UID); err != nil {
		return err
	}
	cmd := exec.Command(systemdProgram("systemd"), "--user", "--log-target=journal")
	cmd.Dir = Home
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential()}
	cmd.Env = environment()
	m.daemon, err = m.sb.startNotifying(ctx, "user-manager", userUnit, cmd)
	if err != nil {
		return err
	}
	// The first connection starts the bus. Only then does the manager join it.
	conn, err := m.sb.ConnectSessionBus(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return waitForOwner(ctx, conn, systemdName)
}

// Stop ends the user manager as a logout does: it stops its units and exits.
func (m *UserManager) Stop(ctx context.Context) error { return m.end(ctx, syscall.SIGTERM) }

// Kill ends the user manager with SIGKILL, and then its units, as the system manager would.
func (m *UserManager) Kill(ctx context.Context) error { return m.end(ctx, syscall.SIGKILL) }

// Signal sends a signal, such as SIGSTOP or SIGCONT.
func (m *UserManager) Signal(s syscall.Signal) error { return m.daemon.signal(s) }

func (m *UserManager) end(ctx context.Context, s syscall.Signal) error {
	group := cgroup(cgroupRoot + "/" + userUnit)
	// The cgroup is removed, as systemd does, because Linux 6.18 kills processes that are started in a
	// cgroup that was killed before.
	return join(m.daemon.stop(ctx, s), group.kill(), group.remove())
}

// DaemonReload makes the user manager read the unit files again.
func (m *UserManager) DaemonReload() error {
	_, err := m.sb.Systemctl("daemon-reload")
	return err
}

// DaemonReexec makes the user manager execute itself again, keeping its units.
func (m *UserManager) DaemonReexec() error {
	_, err := m.sb.Systemctl("daemon-reexec")
	return err
}

// chooseBus makes a bus the user's dbus.service, where that takes precedence over the distribution's choice.
func (m *UserManager) chooseBus() error {
	if m.bus == "" {
		return nil
	}
	file := map[Bus]string{DbusDaemon: "dbus.service", DbusBroker: "dbus-broker.service"}[m.bus]
	const dir = RuntimeDir + "/systemd/user.control"
	unit, err := os.ReadFile("/usr/lib/systemd/user/" + file)
	if err == nil {
		err = makeOwnDir(dir)
	}
	if err == nil {
		err = os.WriteFile(dir+"/dbus.service", unit, 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot choose the session bus: %w", err)
	}
	return nil
}

func makeOwnRuntimeDir() error {
	if err := makeOwnDir(RuntimeDir); err != nil {
		return err
	}
	return os.Chmod(RuntimeDir, 0o700)
}
