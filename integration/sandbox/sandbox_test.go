package sandbox_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

var suite = flag.String("suite", "", "the Debian `suite` whose daemons the sandbox has; empty: the machine's own")

func TestMain(m *testing.M) {
	flag.Parse()
	err := sandbox.Enter(*suite)
	switch {
	case errors.Is(err, sandbox.ErrNotRoot):
		sandbox.TellLeftOut("the tests of the sandbox itself, in integration/sandbox")
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// deadline ends a test that would otherwise wait for ever.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// up brings up a sandbox for one test. A failed test shows the journal.
func up(t *testing.T, options sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: ", sandbox.ErrNotRoot)
	}
	options.LogDir = t.TempDir()
	sb, err := sandbox.Up(deadline(t), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Down(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			journal, err := os.ReadFile(filepath.Join(options.LogDir, "journal.log"))
			t.Logf("journal (%v):\n%s", err, journal)
		}
	})
	return sb
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDownLeavesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: ", sandbox.ErrNotRoot)
	}
	before := observe(t)
	for range 2 {
		sb, err := sandbox.Up(deadline(t), sandbox.Options{})
		must(t, err)
		must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityFull))
		must(t, sb.WriteFile("kept", []byte("?"), 0o644))
		// A command that outlives its parent must not outlive the sandbox.
		must(t, sb.Command("sh", "-c", "setsid sleep 1d & wait").Start())
		must(t, sb.Down())
		if after := observe(t); !slices.Equal(before, after) {
			t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
	}
}

// observe lists what a sandbox could leave behind in our namespaces.
func observe(t *testing.T) []string {
	t.Helper()
	var found []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	for _, line := range strings.Split(string(mounts), "\n") {
		fields := strings.Fields(line)
		if len(fields) > 4 {
			found = append(found, "mount "+fields[4])
		}
	}
	processes, err := os.ReadDir("/proc")
	must(t, err)
	for _, process := range processes {
		if pid, err := strconv.Atoi(process.Name()); err == nil && pid != os.Getpid() {
			if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil && !strings.Contains(string(status), "State:\tZ") {
				found = append(found, "process "+strconv.Itoa(pid))
			}
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/*/", "/run/*", "/home/*/*"} {
		files, err := filepath.Glob(pattern)
		must(t, err)
		found = append(found, files...)
	}
	interfaces, err := net.Interfaces()
	must(t, err)
	for _, i := range interfaces {
		found = append(found, "interface "+i.Name)
	}
	return found
}

func TestOneAtATime(t *testing.T) {
	up(t, sandbox.Options{NoNetworkManager: true})
	if _, err := sandbox.Up(deadline(t), sandbox.Options{}); !errors.Is(err, sandbox.ErrBusy) {
		t.Errorf("a second sandbox came up beside the first: %v", err)
	}
}

func TestCommandIsTheUser(t *testing.T) {
	sb := up(t, sandbox.Options{NoNetworkManager: true})
	must(t, sb.WriteFile("bin/greet", []byte("#!/bin/sh\nid -un; id -G; pwd; hostname; echo $XDG_RUNTIME_DIR\n"), 0o755))
	out, err := sb.Command("greet").Output()
	must(t, err)
	if want := "gemini\n100000\n/home/gemini\nkanonji\n/run/user/100000\n"; string(out) != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestTheEndOfTheContextEndsACommand(t *testing.T) {
	sb := up(t, sandbox.Options{NoNetworkManager: true})
	ctx, cancel := context.WithCancel(deadline(t))
	cmd := sb.CommandContext(ctx, "sleep", "infinity")
	must(t, cmd.Start())
	cancel()
	if err := cmd.Wait(); err == nil {
		t.Error("a command that was killed reports success")
	}
}
