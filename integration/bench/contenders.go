package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// The names of the contenders in the table.
const (
	bridge   = "nm-session-bridge"
	floor    = "floor: a bare StartUnit"
	bareC    = "C, sd-bus"
	bareGo   = "Go, godbus"
	python   = "Python, dbus-python"
	shell    = "dbus-monitor | while read | systemctl"
	dispatch = "NetworkManager dispatcher script"
)

// contender starts one target of its own pair, or the other, at each change.
type contender struct {
	name         string
	short        string // its name in units and paths
	open, closed string
	isClosed     bool
	pid          int // of its first process
	// program and arguments start it. change makes it do its next change and
	// returns when that began.
	program   string
	arguments []string
	change    func(closed bool) (began int64, err error)
}

// startContenders starts all contenders and warms them up. Each has its own pair
// of targets and hears only the signals of its own lid, so all the others sleep
// while one is measured.
func (s *stage) startContenders(ctx context.Context) error {
	pid, err := s.bridgePID()
	if err != nil {
		return err
	}
	s.contenders = append(s.contenders, &contender{
		name: bridge, short: "bridge", open: "lid-open.target", closed: "lid-closed.target", pid: pid,
		program: s.programs.path("nm-session-bridge"), arguments: []string{"run"},
		change: func(closed bool) (int64, error) {
			began := now()
			return began, s.Login1.SetLid(closed)
		},
	})
	if s.floor, err = s.startFloor(); err != nil {
		return err
	}
	s.contenders = append(s.contenders, s.floor)
	for _, one := range []struct{ name, short, program string }{
		{bareC, "c", "listen"},
		{bareGo, "go", "bare"},
		{python, "python", "listen.py"},
		{shell, "shell", "listen.sh"},
	} {
		c, err := s.prepareListener(one.name, one.short, one.program)
		if err != nil {
			return err
		}
		cmd := s.Command(c.program, c.arguments...)
		if err := s.run(cmd); err != nil {
			return err
		}
		c.pid = cmd.Process.Pid
		s.contenders = append(s.contenders, c)
	}
	for _, c := range s.contenders[1:] {
		if err := s.warmUp(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) run(cmd *exec.Cmd) error {
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", cmd.Path, err)
	}
	s.started = append(s.started, cmd)
	return nil
}

// prepareListener prepares a program that listens for the signals of a lid.
func (s *stage) prepareListener(name, short, program string) (*contender, error) {
	open, closed, err := s.pair("bench-" + short)
	if err != nil {
		return nil, err
	}
	path := lidPath(short)
	c := &contender{
		name: name, short: short, open: open, closed: closed,
		program: s.programs.path(program), arguments: []string{string(path), open, closed},
		change: func(closed bool) (int64, error) { return s.signalLid(path, closed) },
	}
	if strings.HasSuffix(program, ".py") {
		c.program, c.arguments = "python3", append([]string{s.programs.path(program)}, c.arguments...)
	}
	return c, nil
}

// startFloor starts the client that does nothing but start units.
func (s *stage) startFloor() (*contender, error) {
	open, closed, err := s.pair("bench-floor")
	if err != nil {
		return nil, err
	}
	cmd := s.Command(s.programs.path("floor"))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	c := &contender{name: floor, short: "floor", open: open, closed: closed}
	c.change = func(closed bool) (int64, error) {
		if _, err := io.WriteString(in, c.target(closed)+"\n"); err != nil {
			return 0, err
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			return 0, fmt.Errorf("the floor's client has ended: %w", err)
		}
		return strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	}
	return c, s.run(cmd)
}

func (c *contender) target(closed bool) string {
	if closed {
		return c.closed
	}
	return c.open
}

// warmUp repeats a change until the contender has begun to listen.
func (s *stage) warmUp(ctx context.Context, c *contender) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	for {
		ended := s.witness.await(c.open)
		if _, err := c.change(false); err != nil {
			return err
		}
		try, stop := context.WithTimeout(ctx, 200*time.Millisecond)
		_, err := ended(try)
		stop()
		if err == nil {
			time.Sleep(pause) // a late answer to an earlier try
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s does not listen: %w", c.name, err)
		}
	}
}

// turn makes a contender do one change, and returns when that began and when its
// target was active.
func (s *stage) turn(ctx context.Context, c *contender) (began, ended int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	c.isClosed = !c.isClosed
	end := s.witness.await(c.target(c.isClosed))
	if began, err = c.change(c.isClosed); err == nil {
		ended, err = end(ctx)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", c.name, err)
	}
	return began, ended, nil
}

// ready is a socket that receives READY=1 (sd_notify(3)) from one process after
// another.
type ready struct {
	*net.UnixConn
}

func newReady() (ready, error) {
	// It is in the abstract namespace, which has no permissions.
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@bench/notify", Net: "unixgram"})
	return ready{conn}, err
}

// launch starts a program and returns how long it took until it said that it was
// ready.
func (r ready) launch(cmd *exec.Cmd) (time.Duration, error) {
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+r.LocalAddr().String())
	began := now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if err := r.SetReadDeadline(time.Now().Add(changeTimeout)); err != nil {
		return 0, err
	}
	message := make([]byte, 4096)
	for {
		n, err := r.Read(message)
		ended := now()
		if err != nil {
			return 0, errors.Join(fmt.Errorf("%s does not become ready: %w", cmd.Path, err), cmd.Process.Kill(), cmd.Wait())
		}
		if strings.HasPrefix(string(message[:n]), "READY=1") {
			return time.Duration(ended - began), nil
		}
	}
}
