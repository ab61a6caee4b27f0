package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	// pause lets the aftermath of a change end before the next one: processes that
	// exit, and lines on their way to the journal.
	pause = 15 * time.Millisecond
	// changeTimeout ends a run that would otherwise wait for ever.
	changeTimeout = 30 * time.Second

	logindPath    = dbus.ObjectPath("/org/freedesktop/login1")
	logindManager = "org.freedesktop.login1.Manager"
)

// stage is the sandbox with everything that measures and everything that is
// measured.
type stage struct {
	*sandbox.Sandbox
	options    options
	programs   programs
	witness    *witness
	system     *dbus.Conn // root's
	starts     *starts
	contenders []*contender
	floor      *contender
	others     []*contender // which start programs, not targets
	started    []*exec.Cmd
	asleep     bool              // whether logind prepares for sleep
	check      sandbox.CheckMode // how connectivity checks are answered
}

func newStage(ctx context.Context, o options, p programs) (*stage, error) {
	// This comes before NetworkManager checks whether there are any scripts.
	script, err := os.ReadFile(p.path("dispatch.sh"))
	if err != nil {
		return nil, err
	}
	script = []byte(strings.ReplaceAll(string(script), "@started@", p.path("started")))
	if err := os.WriteFile("/etc/NetworkManager/dispatcher.d/50-bench", script, 0o755); err != nil {
		return nil, err
	}
	sb, err := sandbox.Up(ctx, sandbox.Options{})
	if err != nil {
		return nil, err
	}
	s := &stage{Sandbox: sb, options: o, programs: p, check: sandbox.Full}
	if err := s.furnish(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stage) furnish(ctx context.Context) error {
	if err := s.NM.WaitConnectivity(ctx, sandbox.ConnectivityFull); err != nil {
		return err
	}
	var err error
	if s.system, err = s.SystemBus.Connect(ctx); err != nil {
		return err
	}
	// Without UPower the bridge would poll logind for the power supply.
	if _, err := fakes.NewUPower(ctx, s.system, false); err != nil {
		return err
	}
	if s.witness, err = newWitness(ctx, s.Sandbox); err != nil {
		return err
	}
	if out, err := s.Command(s.programs.path("nm-session-bridge"), "install", "--now").CombinedOutput(); err != nil {
		return fmt.Errorf("cannot install the bridge: %w: %s", err, out)
	}
	if err := s.startDispatcher(); err != nil {
		return err
	}
	if s.starts, err = newStarts(); err != nil {
		return err
	}
	if err := s.startContenders(ctx); err != nil {
		return err
	}
	return s.startOthers(ctx)
}

// startDispatcher starts the dispatcher, which the system bus of a real machine
// would start on demand.
func (s *stage) startDispatcher() error {
	for _, path := range []string{"/usr/libexec/nm-dispatcher", "/usr/lib/NetworkManager/nm-dispatcher"} {
		if _, err := os.Stat(path); err == nil {
			cmd := exec.Command(path, "--persist")
			if err := cmd.Start(); err != nil {
				return err
			}
			s.started = append(s.started, cmd)
			return nil
		}
	}
	return errors.New("NetworkManager's nm-dispatcher is not installed")
}

func (s *stage) close() error {
	for _, cmd := range s.started {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	}
	return s.Down()
}

// bridgePID returns the process of the bridge's service.
func (s *stage) bridgePID() (int, error) {
	out, err := s.Systemctl("show", "--property=MainPID", "--value", "nm-session-bridge.service")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(out)
}

// pair writes and loads a pair of targets like those of the lid, and the units
// that they want.
func (s *stage) pair(name string) (open, closed string, err error) {
	for _, position := range []string{"open", "closed"} {
		content, err := os.ReadFile(sandbox.Home + "/.local/share/systemd/user/lid-" + position + ".target")
		if err != nil {
			return "", "", err
		}
		unit := strings.ReplaceAll(string(content), "lid-", name+"-")
		if err := s.WriteFile(".config/systemd/user/"+name+"-"+position+".target", []byte(unit), 0o644); err != nil {
			return "", "", err
		}
	}
	return name + "-open.target", name + "-closed.target", s.User.DaemonReload()
}

// signalLid signals the change of a lid as logind does, but on another path.
func (s *stage) signalLid(path dbus.ObjectPath, closed bool) (began int64, err error) {
	began = now()
	return began, s.system.Emit(path, properties+".PropertiesChanged", lidBody(closed)...)
}

// lidPath is where a listener hears of its lid.
func lidPath(short string) dbus.ObjectPath { return logindPath + "/bench/" + dbus.ObjectPath(short) }

func lidBody(closed bool) []any {
	return []any{logindManager, map[string]dbus.Variant{"LidClosed": dbus.MakeVariant(closed)}, []string{}}
}
