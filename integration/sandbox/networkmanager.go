package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	nmName = "org.freedesktop.NetworkManager"
	nmPath = dbus.ObjectPath("/org/freedesktop/NetworkManager")
)

// NetworkManager's NMConnectivityState, as in its D-Bus API.
const (
	ConnectivityUnknown uint32 = 0
	ConnectivityNone    uint32 = 1
	ConnectivityPortal  uint32 = 2
	ConnectivityLimited uint32 = 3
	ConnectivityFull    uint32 = 4
)

// nmConf keeps NetworkManager to the sandbox: it probes our check server every second and
// writes no file of the machine. Polkit does not run here, so the user may only do what
// everyone may, which is to read, unless Options.UserManagesNetwork allows more.
const nmConf = `[main]
plugins=keyfile
dhcp=internal
dns=none
rc-manager=unmanaged
systemd-resolved=false
auth-polkit=root-only
no-auto-default=*
hostname-mode=none

[keyfile]
path=` + nmDir + `/connections

[connectivity]
uri=http://` + UplinkAddress + `/check
response=` + checkAnswer + `
interval=1
`

// HomeUUID is the UUID of the profile "home".
const HomeUUID = "9ae1d6ab-4f1c-4a5e-8a53-5a3b1c0f9e01"

const (
	nmDir     = "/run/sandbox/networkmanager"
	nmProfile = `[connection]
id=home
uuid=` + HomeUUID + `
type=ethernet
interface-name=` + Interface + `

[ipv4]
method=auto

[ipv6]
method=disabled
`
	nmSecondProfile = `[connection]
id=second
type=ethernet
interface-name=` + SecondInterface + `

[ipv4]
method=auto
route-metric=600

[ipv6]
method=disabled
`
)

// NetworkManager is the real NetworkManager. It manages Interface with one profile, "home".
type NetworkManager struct {
	sb     *Sandbox
	daemon *daemon
}

// Start starts NetworkManager and returns when it answers, which is before it has connected.
func (n *NetworkManager) Start(ctx context.Context) error {
	if n.daemon.running() {
		return nil
	}
	if err := n.configure(); err != nil {
		return fmt.Errorf("cannot configure NetworkManager: %w", err)
	}
	conn, err := n.sb.SystemBus.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := make(chan error, 1)
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		answers <- waitForSettings(watchCtx, conn)
	}()
	n.daemon, err = n.sb.start("networkmanager", "system.slice/NetworkManager.service", exec.Command("NetworkManager",
		"--no-daemon",
		"--config="+nmDir+"/NetworkManager.conf",
		"--config-dir="+nmDir+"/conf.d",
		"--system-config-dir="+nmDir+"/system-conf.d",
		"--intern-config="+nmDir+"/intern.conf",
	))
	if err != nil {
		return err
	}
	return n.daemon.await(ctx, answers)
}

// waitForSettings waits until NetworkManager has its objects. It owns its name earlier.
func waitForSettings(ctx context.Context, conn *dbus.Conn) error {
	if err := waitForOwner(ctx, conn, nmName); err != nil {
		return err
	}
	for {
		_, err := get(ctx, conn, nmName, nmPath+"/Settings", nmName+".Settings", "CanModify")
		var answer dbus.Error
		if !errors.As(err, &answer) || answer.Name != "org.freedesktop.DBus.Error.UnknownMethod" { // GDBus calls an unknown object so
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("wait for the objects of NetworkManager: %w", ctx.Err())
		}
	}
}

// configure writes the missing files. It keeps existing ones, which a test may have changed.
func (n *NetworkManager) configure() error {
	for _, dir := range []string{"connections", "conf.d", "system-conf.d"} {
		if err := os.MkdirAll(filepath.Join(nmDir, dir), 0o755); err != nil {
			return err
		}
	}
	files := map[string]string{
		"NetworkManager.conf":           nmConf,
		"connections/home.nmconnection": nmProfile,
	}
	if n.sb.Second != nil {
		files["connections/second.nmconnection"] = nmSecondProfile
	}
	for name, content := range files {
		path := filepath.Join(nmDir, name)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		// NetworkManager ignores profiles that others can read.
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// letUserManage makes NetworkManager, from its next start on, allow the user everything.
func (n *NetworkManager) letUserManage() error {
	const dir = nmDir + "/conf.d"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(dir+"/user.conf", []byte("[main]\nauth-polkit=false\n"), 0o644)
}

// Stop ends NetworkManager with SIGTERM, as systemctl stop does, and waits for its end.
func (n *NetworkManager) Stop(ctx context.Context) error { return n.daemon.stop(ctx, syscall.SIGTERM) }

// Kill ends NetworkManager with SIGKILL and waits for its end. The interface keeps its addresses.
func (n *NetworkManager) Kill(ctx context.Context) error { return n.daemon.stop(ctx, syscall.SIGKILL) }

// Restart stops and starts NetworkManager.
func (n *NetworkManager) Restart(ctx context.Context) error {
	if err := n.Stop(ctx); err != nil {
		return err
	}
	return n.Start(ctx)
}

// Signal sends a signal, such as SIGSTOP or SIGCONT.
func (n *NetworkManager) Signal(s syscall.Signal) error { return n.daemon.signal(s) }

// ProfilePath returns the file of a profile that NetworkManager keeps, by its name without a suffix.
func (n *NetworkManager) ProfilePath(name string) string {
	return filepath.Join(nmDir, "connections", name+".nmconnection")
}

// Nmcli runs nmcli as root and returns what it printed, trimmed.
func (n *NetworkManager) Nmcli(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "nmcli", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8") // it translates states
	return output(cmd)
}

// State reads NetworkManager's State (an NMState).
func (n *NetworkManager) State(ctx context.Context) (uint32, error) { return n.read(ctx, "State") }

// Connectivity reads NetworkManager's Connectivity.
func (n *NetworkManager) Connectivity(ctx context.Context) (uint32, error) {
	return n.read(ctx, "Connectivity")
}

// CheckNow makes NetworkManager probe the check server, waits for the outcome and returns it. A probe that
// hangs ends after some 20 s.
func (n *NetworkManager) CheckNow(ctx context.Context) (uint32, error) {
	conn, err := n.sb.SystemBus.Connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	var connectivity uint32
	call := conn.Object(nmName, nmPath).CallWithContext(ctx, nmName+".CheckConnectivity", dbus.FlagNoAutoStart)
	if err := call.Store(&connectivity); err != nil {
		return 0, fmt.Errorf("cannot check connectivity: %w", err)
	}
	return connectivity, nil
}

// WaitConnectivity waits until Connectivity has the given value.
func (n *NetworkManager) WaitConnectivity(ctx context.Context, want uint32) error {
	return n.wait(ctx, "Connectivity", want)
}

// WaitState waits until State has the given value.
func (n *NetworkManager) WaitState(ctx context.Context, want uint32) error {
	return n.wait(ctx, "State", want)
}

func (n *NetworkManager) read(ctx context.Context, property string) (uint32, error) {
	conn, err := n.sb.SystemBus.Connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return readUint32(ctx, conn, nmName, nmPath, nmName, property)
}

func (n *NetworkManager) wait(ctx context.Context, property string, want uint32) error {
	conn, err := n.sb.SystemBus.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(nmName), dbus.WithMatchObjectPath(nmPath)},
		ownerMatch(nmName),
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			return fmt.Errorf("watch NetworkManager: %w", err)
		}
	}
	for {
		got, err := readUint32(ctx, conn, nmName, nmPath, nmName, property)
		if err == nil && got == want {
			return nil
		}
		select {
		case _, open := <-signals:
			if !open {
				return fmt.Errorf("wait for NetworkManager's %s %d: the system bus is gone", property, want)
			}
		case <-ctx.Done():
			return fmt.Errorf("wait for NetworkManager's %s %d, which is %d: %w", property, want, got, join(err, ctx.Err()))
		}
	}
}
