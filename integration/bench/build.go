package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed programs
var sources embed.FS

// programs is the directory of everything that is measured. It is in a tmpfs
// that the sandbox's user can read and that ends with the sandbox.
type programs string

func (p programs) path(name string) string { return filepath.Join(string(p), name) }

// buildAll builds and unpacks the bridge and the contenders.
func buildAll() (programs, error) {
	dir, err := os.MkdirTemp("/dev/shm", "bench")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	p := programs(dir)
	entries, err := sources.ReadDir("programs")
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		content, err := sources.ReadFile("programs/" + entry.Name())
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(p.path(entry.Name()), content, 0o755); err != nil {
			return "", err
		}
		if name, isC := strings.CutSuffix(entry.Name(), ".c"); isC {
			if err := call("gcc", "-O2", "-s", "-o", p.path(name), p.path(entry.Name()), "-lsystemd"); err != nil {
				return "", err
			}
		}
	}
	return p, buildGo(dir)
}

// buildGo builds the Go programs of the repository in a directory, as the bridge
// is shipped.
func buildGo(dir string) error {
	if err := call("cmd/nm-session-bridge/dist/build", filepath.Join(dir, "nm-session-bridge")); err != nil {
		return err
	}
	overlay, err := overlay(dir)
	if err != nil {
		return err
	}
	for _, one := range []struct{ overlay, source, name string }{
		{"", "./integration/bench/bare", "bare"},
		{overlay, "./integration/bench/bare", "bare" + telling},
		{overlay, "./cmd/nm-session-bridge", "nm-session-bridge" + telling},
	} {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags=godbus_no_tcp", "-ldflags=-s -w",
			"-overlay="+one.overlay, "-o", filepath.Join(dir, one.name), one.source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, out)
		}
	}
	return nil
}

func call(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// size adds the sizes of the stripped programs to a table.
func (s *stage) size(_ context.Context, t *table) error {
	for _, one := range []struct{ name, file string }{{bridge, "nm-session-bridge"}, {bareGo, "bare"}, {bareC, "listen"}} {
		info, err := os.Stat(s.programs.path(one.file))
		if err != nil {
			return err
		}
		f := figure{Subject: "size of the stripped program", Of: one.name, Value: float64(info.Size()) / 1e6, Unit: "MB", N: 1}
		if one.name == bridge {
			f.Budget = atMost("< 6.5 MB", f.Value, 6.5)
		}
		t.add(f)
	}
	return nil
}
