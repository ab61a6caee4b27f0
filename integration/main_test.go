// Package integration tests the bridge with real daemons. Each test brings up a
// sandbox, installs the bridge in it as a user would, and checks what the user
// manager does.
package integration

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bound"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// program is the bridge that the tests install. It is in a tmpfs that ends with
// the sandbox.
const program = "/dev/shm/nm-session-bridge"

// programVariable names a bridge that was built beforehand.
const programVariable = "NM_SESSION_BRIDGE_PROGRAM"

func TestMain(m *testing.M) {
	beSudo()
	beReceiver()
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
	if *suite != "" {
		fmt.Printf("-- %s: %s; an imitated logind\n", *suite, sandbox.Versions())
	}
	return m.Run()
}

// playAgain runs this program again, once for each wanted suite. It builds the
// bridge first, because Go may be missing inside.
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
	if *suite == every {
		return playEverySuite(ctx)
	}
	cmd := again(ctx, *suite)
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	return failed(bound.Run(cmd))
}

// playEverySuite plays all suites at the same time, because the tests mostly
// wait. It prints a suite's output when the suite ends.
func playEverySuite(ctx context.Context) (status int) {
	type outcome struct {
		suite   string
		took    time.Duration
		printed []byte
		status  int
	}
	fmt.Printf("-- the suites %s play at the same time and tell what happened when they end\n", strings.Join(sandbox.Suites(), ", "))
	outcomes := make(chan outcome)
	for _, suite := range sandbox.Suites() {
		go func() {
			var printed bytes.Buffer
			cmd := again(ctx, suite)
			cmd.Stdout = &printed
			began := time.Now()
			status := failed(bound.Run(cmd))
			outcomes <- outcome{suite, time.Since(began), printed.Bytes(), status}
		}()
	}
	for range sandbox.Suites() {
		o := <-outcomes
		fmt.Printf("%s-- %s: ended after %.0f s\n", o.printed, o.suite, o.took.Seconds())
		status = max(status, o.status)
	}
	return status
}

// again prepares a run of this program on a suite.
func again(ctx context.Context, suite string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append(slices.Clone(os.Args[1:]), "-suite="+suite)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = os.Stderr
	return cmd
}

// failed returns the exit status of a run in another process. Its tests have
// said why they failed.
func failed(err error) int {
	if err == nil {
		return 0
	}
	var exited *exec.ExitError
	if !errors.As(err, &exited) {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
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
		return fmt.Errorf("cannot build the bridge: %w: %s", err, out)
	}
	return nil
}
