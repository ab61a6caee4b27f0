package sandbox

import (
	"context"
	_ "embed" // the machine with a battery
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

const (
	upowerName = "org.freedesktop.UPower"
	upowerDir  = "/run/sandbox/upower"
)

//go:embed upower.py
var upowerMachine []byte

// UPower is the real UPower, on a machine with a battery that umockdev imitates. It does not run at
// first, and the bus never activates it. It needs the packages upower, umockdev, python3-gi and
// gir1.2-umockdev-1.0.
type UPower struct {
	sb     *Sandbox
	daemon *daemon
	input  io.WriteCloser
}

// Start starts UPower, with the machine plugged in, and returns when it owns its name.
func (u *UPower) Start(ctx context.Context) error {
	if u.daemon.running() {
		return nil
	}
	programs := []string{"/usr/libexec/upowerd", "/usr/lib/upowerd"}
	found := slices.IndexFunc(programs, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
	if found < 0 {
		return fmt.Errorf("start UPower: neither %s exists; install upower", strings.Join(programs, " nor "))
	}
	if err := os.MkdirAll(upowerDir, 0o755); err != nil {
		return err
	}
	script := upowerDir + "/machine.py"
	if err := os.WriteFile(script, upowerMachine, 0o644); err != nil {
		return err
	}
	conn, err := u.sb.SystemBus.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	owned := make(chan error, 1)
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		owned <- waitForOwner(watchCtx, conn, upowerName)
	}()
	cmd := exec.Command("umockdev-wrapper", "/usr/bin/python3", script, programs[found])
	// Its history of the battery must not mix with this machine's.
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "UPOWER_HISTORY_DIR=" + upowerDir}
	u.input, err = cmd.StdinPipe()
	if err != nil {
		return err
	}
	u.daemon, err = u.sb.start("upower", "system.slice/upower.service", cmd)
	if err != nil {
		return err
	}
	return u.daemon.await(ctx, owned)
}

// SetOnBattery unplugs the machine, or plugs it in.
func (u *UPower) SetOnBattery(onBattery bool) error {
	if !u.daemon.running() {
		return ErrNotRunning
	}
	power := "ac"
	if onBattery {
		power = "battery"
	}
	_, err := fmt.Fprintln(u.input, power)
	return err
}

// Stop ends UPower and the machine that it sees.
func (u *UPower) Stop(ctx context.Context) error {
	if !u.daemon.running() {
		return nil
	}
	if err := u.input.Close(); err != nil {
		return err
	}
	select {
	case <-u.daemon.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for UPower to end: %w", ctx.Err())
	}
}
