package integration

import (
	"bufio"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// sceneTimeout bounds one test, so that a test that hangs says where. It does not measure
// speed: the slowest part of a test takes a minute on a quiet machine.
const sceneTimeout = 10 * time.Minute

// scene is a sandbox with the helpers and checks of a test.
type scene struct {
	*testing.T
	*sandbox.Sandbox
	ctx      context.Context
	timeline *sandbox.Timeline
}

// begin brings up a sandbox for one test.
func begin(t *testing.T, options sandbox.Options) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), sceneTimeout)
	t.Cleanup(cancel)
	sb, err := sandbox.Up(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Down(); err != nil {
			t.Error(err)
		}
	})
	s := &scene{T: t, Sandbox: sb, ctx: ctx}
	s.record()
	t.Cleanup(func() {
		if t.Failed() {
			s.tell()
		}
	})
	return s
}

// renew gives the next part of a long test as much time as a test. The caller ends it.
func (s *scene) renew() (end context.CancelFunc) {
	s.ctx, end = context.WithTimeout(context.Background(), sceneTimeout)
	return end
}

// record starts a new timeline, so earlier events no longer count.
func (s *scene) record() {
	s.Helper()
	if s.timeline != nil {
		_ = s.timeline.Close()
	}
	timeline, err := s.Timeline(s.ctx)
	s.must(err)
	s.timeline = timeline
}

// tell prints what happened in a failed test.
func (s *scene) tell() {
	for _, event := range s.timeline.Events() {
		s.Log(event)
	}
	journal, err := s.Journal(context.Background(), "-o", "short-precise", "--no-hostname")
	s.Log(journal, err)
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// user runs a command line of the user and returns its output.
func (s *scene) user(line string) string {
	s.Helper()
	out, err := s.Command("/bin/sh", "-c", line).CombinedOutput()
	if err != nil {
		s.Fatalf("%s: %v: %s", line, err, out)
	}
	return strings.TrimSpace(string(out))
}

// install installs the bridge as a user would, from a program somewhere else.
func (s *scene) install() string {
	s.Helper()
	out := s.user(program + " install --now")
	s.Log(out)
	return out
}

// write writes one of the user's files; a name without a slash is a unit's.
func (s *scene) write(name, content string) {
	s.Helper()
	mode := os.FileMode(0o644)
	if strings.HasPrefix(content, "#!") {
		mode = 0o755
	}
	if !strings.Contains(name, "/") {
		name = ".config/systemd/user/" + name
	}
	s.must(s.WriteFile(name, []byte(content), mode))
}

// enable writes a unit and enables it.
func (s *scene) enable(name, content string) {
	s.Helper()
	s.write(name, content)
	s.systemctl("enable", name) // this also makes the user manager load it
}

func (s *scene) systemctl(args ...string) string {
	s.Helper()
	out, err := s.Systemctl(args...)
	s.must(err)
	return out
}

// expect waits until units are in a state.
func (s *scene) expect(state string, units ...string) {
	s.Helper()
	for _, unit := range units {
		s.must(s.timeline.Wait(s.ctx, unit, state))
	}
}

// settle waits until the user manager has nothing left to do.
func (s *scene) settle() {
	s.Helper()
	s.must(s.timeline.Settle(s.ctx))
}

// started checks how often a unit was started, once everything has settled.
func (s *scene) started(unit string, want int) {
	s.Helper()
	s.must(s.timeline.WaitStarts(s.ctx, unit, want))
	s.settle()
	if got := s.timeline.Starts(unit); got != want {
		s.Errorf("%s was started %d times, not %d", unit, got, want)
	}
}

// online, offline and portal wait for a position of the internet switch.
func (s *scene) online() {
	s.Helper()
	s.expect("active", "internet-online.target")
	s.expect("inactive", "internet-offline.target", "internet-portal.target")
}

func (s *scene) offline() {
	s.Helper()
	s.expect("active", "internet-offline.target")
	s.expect("inactive", "internet-online.target", "internet-portal.target")
}

func (s *scene) portal() {
	s.Helper()
	s.expect("active", "internet-offline.target", "internet-portal.target")
	s.expect("inactive", "internet-online.target")
}

// flags gives the bridge's service flags, as systemctl --user edit would.
func (s *scene) flags(flags string) {
	s.Helper()
	s.write(".config/systemd/user/nm-session-bridge.service.d/override.conf",
		"[Service]\nExecStart=\nExecStart=%h/.local/bin/nm-session-bridge run "+flags+"\n")
}

// check changes the answers of the connectivity check and makes NetworkManager ask
// at once.
func (s *scene) check(mode sandbox.CheckMode) {
	s.Helper()
	s.must(s.Check.Set(mode))
	_, err := s.NM.CheckNow(s.ctx)
	s.must(err)
}

func (s *scene) nmcli(args ...string) {
	s.Helper()
	_, err := s.NM.Nmcli(s.ctx, args...)
	s.must(err)
}

// sessionBus connects to the user's bus until the test ends.
func (s *scene) sessionBus() *dbus.Conn {
	s.Helper()
	conn, err := s.ConnectSessionBus(s.ctx)
	s.must(err)
	s.Cleanup(func() { _ = conn.Close() })
	return conn
}

// status waits until the service's status text contains some words. It asks again
// if the user manager executes itself again.
func (s *scene) status(words string) {
	s.Helper()
	conn, err := s.ConnectSessionBus(s.ctx)
	s.must(err)
	defer conn.Close()
	signals := make(chan *dbus.Signal, 1024)
	conn.Signal(signals)
	const (
		name    = "org.freedesktop.systemd1"
		path    = "/org/freedesktop/systemd1/unit/nm_2dsession_2dbridge_2eservice"
		service = name + ".Service"
	)
	s.must(conn.AddMatchSignalContext(s.ctx, dbus.WithMatchSender(name), dbus.WithMatchObjectPath(path)))
	s.must(conn.AddMatchSignalContext(s.ctx, dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, name)))
	for {
		var text string
		err := conn.Object(name, path).CallWithContext(s.ctx, "org.freedesktop.DBus.Properties.Get", 0, service, "StatusText").Store(&text)
		if err == nil && strings.Contains(text, words) {
			return
		}
		select {
		case <-s.ctx.Done():
			s.Fatalf("the status does not come to say %q but is %q (%v)", words, text, err)
		case <-signals:
		}
	}
}

// log returns what the bridge has logged.
func (s *scene) log() string {
	s.Helper()
	log, err := s.Journal(s.ctx, bridgeWords(), "-o", "cat")
	s.must(err)
	return log
}

// bridgeWords selects what the bridge says. On a busy machine journald misses the unit
// of a process that ends at once, but not its identifier.
func bridgeWords() string { return "--identifier=nm-session-bridge" }

// waitLog follows the bridge's log until it contains some words.
func (s *scene) waitLog(words string) {
	s.Helper()
	s.follow(words, "journalctl", "--user", bridgeWords(), "--follow", "--lines=all", "--output=cat")
}

// follow runs a command of the user until a line of its output contains some words.
func (s *scene) follow(words, name string, args ...string) {
	s.Helper()
	cmd := s.CommandContext(s.ctx, name, args...)
	out, err := cmd.StdoutPipe()
	s.must(err)
	s.must(cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), words) {
			return
		}
	}
	s.Fatalf("%s does not come to say %q", name, words)
}

// neverBoth checks in the user manager's own stream of events that two targets
// were never active together.
func (s *scene) neverBoth(one, other string) {
	s.Helper()
	active := map[string]bool{}
	for _, event := range s.timeline.Events() {
		if event.Kind == sandbox.UnitChanged {
			active[event.Unit] = event.Active == "active"
		}
		if active[one] && active[other] {
			s.Fatalf("%s and %s are both active: %s", one, other, event)
		}
	}
}
