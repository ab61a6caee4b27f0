// Package integration tests the bridge with real daemons. Each test brings up a
// sandbox, installs the bridge in it as a user would, and checks what the user
// manager does.
package integration

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
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
	if err == nil && sandbox.Outside() && os.Geteuid() == 0 && (os.Getenv(programVariable) == "" || players() != nil) {
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

// playAgain runs this program again, once for each player. It builds the bridge
// first, because Go may be missing inside.
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
	if all := players(); all != nil {
		return playTogether(ctx, all)
	}
	cmd := again(ctx)
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	return failed(bound.Run(cmd))
}

// player is a run of some of the tests beside others.
type player struct{ suite, share string }

// shares are as many as can play at once on two processors.
func shares() []string { return []string{"1/4", "2/4", "3/4", "4/4"} }

// players returns the runs into which this one is divided, if it is.
func players() []player {
	if *suite != every && *share != every {
		return nil
	}
	suites, parts := []string{*suite}, []string{*share}
	if *suite == every {
		suites = sandbox.Suites()
	}
	if *share == every {
		parts = shares()
	}
	var all []player
	for _, suite := range suites {
		for _, share := range parts {
			all = append(all, player{suite, share})
		}
	}
	return all
}

// name is one word.
func (p player) name() string {
	number, _, _ := strings.Cut(p.share, "/")
	return cmp.Or(p.suite, *part) + number
}

// playTogether lets two players a processor play at the same time, because half of what
// they do is to wait. It prints what a player printed when the player ends.
func playTogether(ctx context.Context, players []player) (status int) {
	type outcome struct {
		player
		took    time.Duration
		printed []byte
		status  int
	}
	next, outcomes := make(chan player, len(players)), make(chan outcome)
	for _, one := range players {
		next <- one
	}
	close(next)
	for range 2 * runtime.NumCPU() {
		go func() {
			for one := range next {
				fmt.Printf("-- %s begins and tells what happened when it ends\n", one.name())
				var printed bytes.Buffer
				cmd := again(ctx, "-suite="+one.suite, "-share="+one.share)
				cmd.Stdout = &printed
				began := time.Now()
				status := failed(bound.Run(cmd))
				outcomes <- outcome{one, time.Since(began), printed.Bytes(), status}
			}
		}()
	}
	for range players {
		o := <-outcomes
		fmt.Printf("-- %s: ended after %.0f s\n%s", o.name(), o.took.Seconds(), o.printed)
		status = max(status, o.status)
	}
	return status
}

// again prepares a run of this program with more arguments.
func again(ctx context.Context, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append(slices.Clone(os.Args[1:]), arguments...)...)
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
