package integration

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// byHand is a bridge that somebody runs by hand, and what it says.
type byHand struct {
	*scene
	pid   int
	said  *bufio.Reader
	ended func() error
}

func (s *scene) runByHand() *byHand {
	s.Helper()
	cmd := s.CommandContext(s.ctx, program, "run")
	said, err := cmd.StderrPipe()
	s.must(err)
	s.must(cmd.Start())
	return &byHand{s, cmd.Process.Pid, bufio.NewReader(said), cmd.Wait}
}

// says returns the line with some words, for which it waits.
func (h *byHand) says(words string) string {
	h.Helper()
	for {
		line, err := h.said.ReadString('\n')
		if strings.Contains(line, words) {
			return line
		}
		if err != nil {
			h.Fatalf("a bridge run by hand does not come to say %q: %v", words, err)
		}
	}
}

// end ends it and returns what it still said.
func (h *byHand) end() string {
	h.Helper()
	h.must(syscall.Kill(h.pid, syscall.SIGTERM))
	rest, err := io.ReadAll(h.said)
	h.must(err)
	h.must(h.ended())
	return string(rest)
}

func TestASecondBridgeWaitsAndTakesOver(t *testing.T) {
	const waiting = "another nm-session-bridge is running"
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	s.lid("open")
	s.user(program + " set power battery")
	pid := s.systemctl("show", "-P", "MainPID", bridgeUnit)
	second := s.runByHand()
	if line := second.says(waiting); !strings.Contains(line, "process "+pid+" ") {
		t.Errorf("it does not say that it waits for process %s: %s", pid, line)
	}
	s.started("internet-online.target", 1)

	s.systemctl("stop", bridgeUnit)
	second.says("observing")
	if got := s.get("Power"); got != `s "battery"` {
		t.Errorf("the power, which was held on battery, is %s", got)
	}
	s.must(s.Login1.SetLid(true))
	s.lid("closed")
	s.started("internet-online.target", 1)

	s.systemctl("start", bridgeUnit)
	s.status("waiting until another nm-session-bridge ends: process " + strconv.Itoa(second.pid) + " ")
	s.waitLog(waiting)
	s.must(s.Login1.SetLid(false))
	s.lid("open")
	if rest := second.end(); strings.Contains(rest, waiting) {
		t.Errorf("the other bridge says more than once that it waits:\n%s", rest)
	}
	s.status("internet online")
	s.status("lid open")
	s.status("power battery (held by hand)")
	s.started(bridgeUnit, 2)
	s.started("internet-online.target", 1)
	if n := strings.Count(s.log(), waiting); n != 1 {
		t.Errorf("the service says %d times that it waits:\n%s", n, s.log())
	}
}
