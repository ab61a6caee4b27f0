package chaos

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// How much more a settled bridge may use than when it first settled.
const (
	moreFiles    = 3
	moreThreads  = 12
	moreMemory   = 24 << 10 // KiB; the Go runtime gives memory back late
	mostMemory   = 96 << 10 // KiB
	mostFiles    = 40
	afterRestful = 2 // rounds until the use of a process becomes its measure
)

// growth follows how much a process uses.
type growth struct {
	pid, rounds int
	first       use
	most        use
}

// use is how much of the machine a process uses.
type use struct {
	files, threads, memory int // memory in KiB
}

func useOf(pid int) (use, error) {
	proc := "/proc/" + strconv.Itoa(pid)
	files, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return use{}, err
	}
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		return use{}, err
	}
	u := use{files: len(files)}
	for _, line := range strings.Split(string(status), "\n") {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "Threads":
			u.threads, _ = strconv.Atoi(strings.TrimSpace(value))
		case "VmRSS":
			u.memory, _ = strconv.Atoi(strings.Fields(value)[0])
		}
	}
	return u, nil
}

// look looks at a process that has settled.
func (g *growth) look(pid int) error {
	now, err := useOf(pid)
	if err != nil {
		return fmt.Errorf("cannot look at the bridge: %w", err)
	}
	g.most = use{max(g.most.files, now.files), max(g.most.threads, now.threads), max(g.most.memory, now.memory)}
	if now.memory > mostMemory || now.files > mostFiles {
		return fmt.Errorf("the bridge (process %d) uses too much: %s", pid, now)
	}
	if pid != g.pid {
		g.pid, g.rounds = pid, 0
	}
	g.rounds++
	if g.rounds <= afterRestful {
		g.first = now
		return nil
	}
	if now.files > g.first.files+moreFiles || now.threads > g.first.threads+moreThreads || now.memory > g.first.memory+moreMemory {
		return fmt.Errorf("the bridge (process %d) grows: %s after %d rounds, first %s", pid, now, g.rounds, g.first)
	}
	return nil
}

func (u use) String() string {
	return fmt.Sprintf("%d files, %d threads, %d KiB", u.files, u.threads, u.memory)
}
