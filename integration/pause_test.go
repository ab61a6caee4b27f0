package integration

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// turnByHand moves the lid by hand, and ends with an open one.
func (s *scene) turnByHand(conn *dbus.Conn, times int) {
	s.Helper()
	const atOnce = 100
	var answers []*dbus.Call
	for i := range times {
		answers = append(answers, s.ask(conn, "Set", "lid", []string{"closed", "open"}[i%2]))
		if len(answers) == atOnce || i == times-1 {
			for _, answer := range answers {
				s.must((<-answer.Done).Err)
			}
			answers = nil
		}
	}
}

func TestMonitorKeepsTheOrderWhenItsReaderPauses(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	s.lid("open")
	conn := s.sessionBus()
	monitor := s.CommandContext(s.ctx, program, "monitor", "--json")
	out, err := monitor.StdoutPipe()
	s.must(err)
	s.must(monitor.Start())
	defer func() {
		_ = monitor.Process.Kill()
		_ = monitor.Wait() // killed
	}()
	lines := json.NewDecoder(out)
	var line struct {
		Switch, From, To string
		Omitted          int
	}
	for line.Switch != "connection" { // the last of the present positions
		s.must(lines.Decode(&line))
	}
	const times = 3000
	s.turnByHand(conn, times)
	s.must((<-s.ask(conn, "Set", "power", "battery").Done).Err)
	changes, omitted, position := 0, 0, "open"
	for line.Switch != "power" {
		line.Switch, line.Omitted = "", 0
		s.must(lines.Decode(&line))
		switch {
		case line.Omitted > 0:
			omitted += line.Omitted
			position = ""
		case line.Switch == "lid":
			changes++
			if position != "" && line.From != position {
				t.Fatalf("change %d is from %s, but the one before was to %s", changes, line.From, position)
			}
			position = line.To
		}
	}
	t.Logf("%d changes are printed, and %d are said to be left out", changes, omitted)
	if changes+omitted != times || position != "open" || omitted == 0 {
		t.Errorf("of %d changes %d are printed and %d are said to be left out; the last is to %s", times, changes, omitted, position)
	}
}

// The notify socket has room for about ten messages. The user manager, or
// whatever reads in its place, may be stopped.
func TestAUserManagerThatDoesNotReadHoldsNothingUp(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	s.lid("open")
	s.locks(1)
	conn := s.sessionBus()
	s.must(s.User.Signal(syscall.SIGSTOP))
	s.turnByHand(conn, 40)
	s.must((<-s.ask(conn, "Set", "lid", "closed").Done).Err)
	s.fallAsleep()
	s.must(s.User.Signal(syscall.SIGCONT))
	s.lid("closed")
	s.status("lid closed (held by hand)")
	s.wakeUp()
	s.started(bridgeUnit, 1)
}

func TestAPositionIsOneListOfWords(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	s.lid("open")
	out := s.user(`nm-session-bridge set connection "$(printf 'work home\nlid closed home')"`)
	if !strings.Contains(out, "connection is held closed home lid work by hand") {
		t.Errorf("set says %q", out)
	}
	s.systemctl("restart", bridgeUnit)
	s.status("connection closed home lid work (held by hand)")
	if held := s.get("Overrides"); held != `a{ss} 1 "connection" "closed home lid work"` {
		t.Errorf("held are %s", held)
	}
	s.expect("active", "connection@home.target", "connection@work.target", "lid-open.target")
}
