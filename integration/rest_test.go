package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// NetworkManager checks its connectivity every second meanwhile. The watchdog
// ticks every half minute. So if nothing else ever wakes the bridge, at least
// one of several windows in a row passes without a wake-up.
func TestNothingWakesTheBridgeAtRest(t *testing.T) {
	const window, windows = 10 * time.Second, 5
	s := begin(t, sandbox.Options{})
	system, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer system.Close()
	_, err = fakes.NewUPower(s.ctx, system, false)
	s.must(err)
	s.install()
	s.online()
	process := s.systemctl("show", "--property=MainPID", "--value", "nm-session-bridge.service")
	var woken []int
	for range windows {
		before := s.wakeUps(process)
		time.Sleep(window) // the test measures stillness
		woken = append(woken, s.wakeUps(process)-before)
		if woken[len(woken)-1] == 0 {
			return
		}
	}
	t.Errorf("in windows of %v the bridge was woken %v times", window, woken)
}

// wakeUps counts how often the threads of a process have been woken.
func (s *scene) wakeUps(process string) int {
	s.Helper()
	threads, err := filepath.Glob("/proc/" + process + "/task/*/status")
	s.must(err)
	all := 0
	for _, thread := range threads {
		content, err := os.ReadFile(thread)
		s.must(err)
		var woken int
		_, line, _ := strings.Cut(string(content), "\nvoluntary_ctxt_switches:")
		_, err = fmt.Sscan(line, &woken)
		s.must(err)
		all += woken
	}
	return all
}

// largestProgram is how large the stripped program may be, in bytes.
const largestProgram = 6_000_000

func TestTheProgramIsSmall(t *testing.T) {
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= largestProgram {
		t.Errorf("the program has %d bytes, not less than %d", info.Size(), largestProgram)
	}
	t.Logf("%d bytes", info.Size())
}
