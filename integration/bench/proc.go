package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// memory is how much memory a process has, in kB.
type memory struct{ rss, pss, anonymous int64 }

// memoryOf reads /proc/PID/smaps_rollup (proc_pid_smaps(5)) of a process and its
// children.
func memoryOf(pid int) (memory, error) {
	var all memory
	for _, one := range family(pid) {
		values, err := fields(fmt.Sprintf("/proc/%d/smaps_rollup", one))
		if one != pid && hasEnded(err) {
			continue
		}
		if err != nil {
			return all, err
		}
		all.rss += values["Rss"]
		all.pss += values["Pss"]
		all.anonymous += values["Anonymous"]
	}
	return all, nil
}

// family returns a process and its descendants.
func family(pid int) []int {
	all := []int{pid}
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is right
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has ended
		}
		for _, word := range strings.Fields(string(content)) {
			if child, err := strconv.Atoi(word); err == nil {
				all = append(all, family(child)...)
			}
		}
	}
	return all
}

// work is how much a process has done so far.
type work struct {
	switches int64 // voluntary context switches of all threads
	slices   int64 // how often a thread was run
	cpu      int64 // nanoseconds
}

// hasEnded reports whether an error says that a process or a thread has ended: before its
// file in /proc was opened, or after.
func hasEnded(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// workOf adds up the work of a process and its children. It begins again if a program that
// the process runs ends meanwhile: its time is then the parent's.
func workOf(pid int) (work, error) {
	for {
		all, err := familyWork(pid)
		if !hasEnded(err) {
			return all, err
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
			return all, err
		}
	}
}

func familyWork(pid int) (work, error) {
	var all work
	for _, one := range family(pid) {
		own, err := ownWork(one)
		if err != nil {
			return all, err
		}
		all.switches += own.switches
		all.slices += own.slices
		all.cpu += own.cpu
	}
	return all, nil
}

// tick is the unit of the times in /proc/PID/stat, in nanoseconds (USER_HZ, which is 100
// on every architecture of Debian).
const tick = 10_000_000

// ownWork adds up the threads' status and schedstat
// (https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat), and the time of
// the children that have ended (proc_pid_stat(5)).
func ownWork(pid int) (work, error) {
	var all work
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return all, err
	}
	// The name of the program, in parentheses, may have blanks.
	words := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const ofUser, ofSystem = 16 - 3, 17 - 3 // cutime and cstime; the state is the third
	for _, i := range []int{ofUser, ofSystem} {
		ticks, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil {
			return all, err
		}
		all.cpu += ticks * tick
	}
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid)) // the pattern is right
	if len(threads) == 0 {
		return all, fmt.Errorf("process %d: %w", pid, fs.ErrNotExist)
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
