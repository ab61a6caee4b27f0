// Package integration proves the bridge on real daemons: each test brings up a
// sandbox, installs the bridge in it as a user would, and looks at what the
// user manager made of it.
package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bound"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// program is the bridge that the tests install. It lies in a tmpfs that ends
// with the sandbox.
const program = "/dev/shm/nm-session-bridge"

// programVariable names a bridge that was built beforehand.
const programVariable = "NM_SESSION_BRIDGE_PROGRAM"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(play(m))
}

func play(m *testing.M) int {
	err := choosePart()
	if err == nil && sandbox.Outside() && os.Geteuid() == 0 && (os.Getenv(programVariable) == "" || *suite == every) {
		return playAgain()
	}
	if err == nil {
		err = sandbox.Enter(*suite)
	}
	if errors.Is(err, sandbox.ErrNotRoot) {
		sandbox.TellLeftOut("every test of what units do, in integration/")
		return 0
	}
	if err == nil {
		err = provideProgram()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// playAgain runs this program once more with a bridge that it builds, for Go may
// not be there inside, and for each suite where that is wanted.
func playAgain() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if os.Getenv(programVariable) == "" {
		dir, err := os.MkdirTemp("", "nm-session-bridge-")
		if err == nil {
			defer os.RemoveAll(dir)
			built := filepath.Join(dir, "nm-session-bridge")
			err = errors.Join(build(built), os.Setenv(programVariable, built))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	suites := []string{*suite}
	if *suite == every {
		suites = sandbox.Suites()
	}
	status := 0
	for _, name := range suites {
		if *suite == every {
			fmt.Printf("-- suite %s\n", name)
		}
		cmd := exec.CommandContext(ctx, "/proc/self/exe", append(os.Args[1:], "-suite="+name)...)
		cmd.Args[0] = os.Args[0]
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := bound.Run(cmd); err != nil {
			status = 1
		}
		if ctx.Err() != nil {
			break
		}
	}
	return status
}

func provideProgram() error {
	content, err := os.ReadFile(os.Getenv(programVariable))
	if err != nil {
		return err
	}
	return os.WriteFile(program, content, 0o755)
}

func build(to string) error {
	cmd := exec.Command("../cmd/nm-session-bridge/dist/build", to)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the bridge: %w: %s", err, out)
	}
	return nil
}
