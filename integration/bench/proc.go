package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory is how much memory a process has, in kB.
type memory struct{ rss, pss, anonymous int64 }

// memoryOf reads /proc/PID/smaps_rollup (proc_pid_smaps(5)).
func memoryOf(pid int) (memory, error) {
	values, err := fields(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	return memory{values["Rss"], values["Pss"], values["Anonymous"]}, err
}

// work is how much a process has done so far.
type work struct {
	switches int64 // voluntary context switches of all threads
	slices   int64 // how often a thread was run
	cpu      int64 // nanoseconds
}

// workOf adds up the threads' status and schedstat
// (https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat).
func workOf(pid int) (work, error) {
	var all work
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(threads) == 0 {
		return all, fmt.Errorf("process %d has gone", pid)
	}
	for _, thread := range threads {
		values, err := fields(thread + "/status")
		if err != nil {
			return all, err
		}
		all.switches += values["voluntary_ctxt_switches"]
		content, err := os.ReadFile(thread + "/schedstat")
		if err != nil {
			return all, err
		}
		var ran, waited, slices int64
		if _, err := fmt.Sscan(string(content), &ran, &waited, &slices); err != nil {
			return all, err
		}
		all.cpu += ran
		all.slices += slices
	}
	return all, nil
}

func (w work) since(before work) work {
	return work{w.switches - before.switches, w.slices - before.slices, w.cpu - before.cpu}
}

// fields reads lines of the form "name: number".
func fields(path string) (map[string]int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	values := map[string]int64{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		if number, err := strconv.ParseInt(words[0], 10, 64); err == nil {
			values[name] = number
		}
	}
	return values, lines.Err()
}
