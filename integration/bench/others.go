package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// What people use for some of the bridge's work, from Debian's packages.
const (
	swayidle    = "swayidle"
	xssLock     = "xss-lock"
	networkd    = "networkd-dispatcher"
	nmcli       = "nmcli monitor | while read"
	waylandName = "bench-wayland"
	xDisplay    = ":7"

	// What the programs that they start call themselves.
	swayidleLocker = "swayidle-lock"
	xssLocker      = "xss-lock"
)

// startOthers starts what people use, each as its manual says, with the display
// servers that some need.
func (s *stage) startOthers(ctx context.Context) error {
	if err := errors.Join(s.startWayland(ctx), s.startX()); err != nil {
		return err
	}
	program := s.programs.path("started")
	idle := s.Command("swayidle", "-w", "lock", program+" "+swayidleLocker, "before-sleep", program+" swayidle-sleep")
	idle.Env = append(idle.Env, "WAYLAND_DISPLAY="+waylandName)
	lock := s.Command("xss-lock", "--", program, xssLocker)
	lock.Env = append(lock.Env, "DISPLAY="+xDisplay)
	for _, one := range []struct {
		name string
		cmd  *exec.Cmd
	}{
		{swayidle, idle},
		{xssLock, lock},
		{networkd, exec.Command("networkd-dispatcher")}, // a system service, which follows another network manager
		{nmcli, s.Command(s.programs.path("nmcli.sh"), program)},
	} {
		if one.cmd.SysProcAttr == nil {
			one.cmd.SysProcAttr = &syscall.SysProcAttr{}
		}
		one.cmd.SysProcAttr.Setpgid = true // to end a pipeline
		if err := s.run(one.cmd); err != nil {
			return err
		}
		c := &contender{name: one.name, pid: one.cmd.Process.Pid, program: one.cmd.Path, arguments: one.cmd.Args[1:]}
		s.others = append(s.others, c)
		if err := s.settle(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// startWayland starts a compositor without a screen.
func (s *stage) startWayland(ctx context.Context) error {
	const config = "sway.config"
	if err := s.WriteFile(config, []byte("xwayland disable\n"), 0o644); err != nil {
		return err
	}
	cmd := s.Command("sway", "--config", filepath.Join(sandbox.Home, config))
	cmd.Env = append(cmd.Env, "WLR_BACKENDS=headless", "WLR_LIBINPUT_NO_DEVICES=1", "WLR_RENDERER=pixman", "WLR_HEADLESS_OUTPUTS=1")
	if err := cmd.Start(); err != nil {
		return err
	}
	s.started = append(s.started, cmd)
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	for {
		// The compositor chooses the name.
		sockets, err := filepath.Glob(sandbox.RuntimeDir + "/wayland-*")
		if err != nil {
			return err
		}
		for _, socket := range sockets {
			if !strings.HasSuffix(socket, ".lock") {
				return os.Symlink(socket, filepath.Join(sandbox.RuntimeDir, waylandName))
			}
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("sway does not start: %w", err)
		}
	}
}

// startX starts an X server without a screen.
func (s *stage) startX() error {
	cmd := s.Command("Xvfb", xDisplay, "-screen", "0", "64x64x24", "-nolisten", "tcp", "-displayfd", "1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.started = append(s.started, cmd)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return fmt.Errorf("cannot start Xvfb: %w", err)
	}
	return nil
}

// named returns a contender by its name in the table.
func (s *stage) named(name string) *contender {
	for _, c := range s.residents() {
		if c.name == name {
			return c
		}
	}
	panic("no contender is called " + name)
}

// residents returns everything that stays in memory and waits.
func (s *stage) residents() []*contender {
	var all []*contender
	for _, c := range s.contenders {
		if c != s.floor {
			all = append(all, c)
		}
	}
	return append(all, s.others...)
}

// notifying returns the residents that say when they are ready.
func (s *stage) notifying() []*contender {
	return []*contender{s.named(bridge), s.named(bareC), s.named(bareGo), s.named(python), s.named(networkd)}
}
