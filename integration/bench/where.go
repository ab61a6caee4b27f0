package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const whereSubject = "private memory at rest: "

// telling is the suffix of the programs that report where their memory is.
const telling = "-telling"

// overlay returns an overlay (go help build, -overlay) with code that makes both Go
// programs report where their memory is.
func overlay(dir string) (file string, err error) {
	source, err := sources.ReadFile("programs/metrics.go.txt")
	if err != nil {
		return "", err
	}
	metrics := filepath.Join(dir, "metrics.go")
	if err := os.WriteFile(metrics, source, 0o644); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for _, program := range []string{"cmd/nm-session-bridge", "integration/bench/bare"} {
		absolute, err := filepath.Abs(filepath.Join(program, "metrics.go"))
		if err != nil {
			return "", err
		}
		replace[absolute] = metrics
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, content, 0o644)
}

// where measures where the Go programs' private memory goes.
func (s *stage) where(ctx context.Context, t *table) error {
	if _, err := s.Systemctl("stop", "nm-session-bridge.service"); err != nil {
		return err
	}
	all := []struct {
		name string
		cmd  *exec.Cmd
		out  io.Reader
	}{
		{bridge, s.Command(s.programs.path("nm-session-bridge"+telling), s.contenders[0].arguments...), nil},
		{bareGo, s.Command(s.programs.path("bare"+telling), s.named(bareGo).arguments...), nil},
	}
	for i := range all {
		var err error
		if all[i].out, err = all[i].cmd.StdoutPipe(); err != nil {
			return err
		}
		if err := all[i].cmd.Start(); err != nil {
			return err
		}
	}
	if err := wait(ctx, settling); err != nil {
		return err
	}
	for i, one := range append(all, all[1]) {
		how, name := syscall.SIGUSR1, one.name
		if i == len(all) {
			how, name = syscall.SIGUSR2, name+", after it has collected garbage"
		}
		parts, err := partsOf(one.cmd, one.out, how)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		for _, part := range parts {
			t.add(figure{Subject: whereSubject + part.name, Of: name, Value: float64(part.kB) / 1024, Unit: "MB", N: 1})
		}
	}
	for _, one := range all {
		if err := end(one.cmd); err != nil {
			return err
		}
	}
	return s.restart()
}

// part is a part of a program's private memory, by purpose.
type part struct {
	name string
	kB   int64
}

// partsOf asks a program, with a signal, to report where its memory is.
func partsOf(cmd *exec.Cmd, out io.Reader, how os.Signal) ([]part, error) {
	if err := cmd.Process.Signal(how); err != nil {
		return nil, err
	}
	late := time.AfterFunc(changeTimeout, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, err
	}
	var objects, stacks, unused int64
	var heap uint64
	if _, err := fmt.Sscanf(line, "memory %d %d %d %v", &objects, &stacks, &unused, &heap); err != nil {
		return nil, fmt.Errorf("it says %q: %w", line, err)
	}
	mapped, err := mappings(cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	parts := []part{{"objects in use", objects / 1024}, {"stacks", stacks / 1024}, {"room between objects", 0}, {"the runtime's tables", 0}, {"variables", 0}}
	for _, m := range mapped {
		switch {
		case m.from <= heap && heap < m.to:
			parts[2].kB += m.anonymous - parts[0].kB - parts[1].kB
		case m.name == "" && m.from > heap:
			parts[3].kB += m.anonymous
		default:
			parts[4].kB += m.anonymous
		}
	}
	return parts, nil
}

// mapping is a line of /proc/PID/maps (proc_pid_maps(5)), with the private memory in it.
type mapping struct {
	from, to  uint64
	name      string
	anonymous int64 // kB
}

// mappings reads /proc/PID/smaps (proc_pid_smaps(5)).
func mappings(pid int) ([]mapping, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return nil, err
	}
	var all []mapping
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		from, to, isRange := strings.Cut(words[0], "-")
		switch {
		case isRange:
			m := mapping{name: strings.Join(words[5:], " ")}
			if m.from, err = strconv.ParseUint(from, 16, 64); err != nil {
				return nil, err
			}
			if m.to, err = strconv.ParseUint(to, 16, 64); err != nil {
				return nil, err
			}
			all = append(all, m)
		case words[0] == "Anonymous:":
			if all[len(all)-1].anonymous, err = strconv.ParseInt(words[1], 10, 64); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}
