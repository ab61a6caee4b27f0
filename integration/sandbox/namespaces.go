package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNotRoot is returned by Enter when the process may not make namespaces.
var ErrNotRoot = errors.New("the sandbox needs root: it makes mount, network, pid and cgroup namespaces")

// The process runs four times; this variable tells each run which one it is.
const (
	stageVariable = "NM_SESSION_BRIDGE_SANDBOX"
	stageInit     = "init"    // pid 1 of the namespaces, with the tree to take programs from, if any
	stageInside   = "inside"  // its child, the program proper
	stageJanitor  = "janitor" // outside, removes the cgroup whatever happens to the others
)

// Enter moves the whole program into fresh mount, network, pid, cgroup, ipc and uts namespaces.
// Call it first in main or TestMain. Only reading flags makes sense before it.
//
// The daemons are those of one of Suites, unpacked in the user's cache, or the machine's own for
// "". With a suite, /usr, /etc and /var, except /var/tmp, are the suite's. The program finds
// nothing of the machine there. It must be linked with a C library no newer than the suite's, or
// with none.
//
// Outside it runs the program again with the same arguments, files, environment and working directory, and
// then exits with that run's status (128 + n for signal n): it returns only to report that the program could
// not be started, ErrNotRoot among the reasons. Inside it returns nil at once.
//
// When the outer or the inner process ends, in whatever way, all processes, mounts, namespaces and the
// cgroup of the sandbox end too. SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on to the inner process,
// which may get one twice when a terminal sends it to the whole group.
func Enter(suite string) error {
	switch stage, about, _ := strings.Cut(os.Getenv(stageVariable), " "); stage {
	case stageInside:
		return nil
	case stageInit:
		os.Exit(exitCode(runInit(about)))
	case stageJanitor:
		os.Exit(exitCode(0, runJanitor(about)))
	}
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	status, err := runOutside(suite)
	if err != nil {
		return fmt.Errorf("cannot enter the sandbox: %w", err)
	}
	os.Exit(status)
	return nil
}

// exitCode prints an error of a stage that has no caller to return it to.
func exitCode(status int, err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		return 1
	}
	return status
}

// runOutside runs init, waits for the end of everything and returns the status of the program inside.
func runOutside(suite string) (status int, err error) {
	stage := stageInit
	if suite != "" {
		tree, release, err := openTree(context.Background(), suite, os.Stderr)
		if err != nil {
			return 0, err
		}
		defer release()
		stage += " " + tree
	}
	// The parent-death signal of init is tied to this thread, not to the process.
	runtime.LockOSThread()
	unix.Umask(0o022) // the sandbox's user must be able to read what is made for it

	group, err := newOuterCgroup()
	if err != nil {
		return 0, err
	}
	janitor, leave, err := startJanitor(group)
	if err != nil {
		return 0, join(err, group.remove())
	}
	defer func() {
		leave.Close()
		if janitor.Wait() != nil && status == 0 {
			status = 1 // the janitor has said why
		}
	}()

	groupDir, err := group.open()
	if err != nil {
		return 0, err
	}
	defer groupDir.Close()
	inner := again(stage)
	inner.Stdin, inner.Stdout, inner.Stderr = os.Stdin, os.Stdout, os.Stderr
	inner.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID |
			unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:   syscall.SIGKILL,
		UseCgroupFD: true,
		CgroupFD:    int(groupDir.Fd()),
	}
	if err := inner.Start(); err != nil {
		return 0, fmt.Errorf("cannot make namespaces: %w", err)
	}
	forward := passSignals(func(s syscall.Signal) { _ = inner.Process.Signal(s) })
	defer forward.stop()

	err = inner.Wait()
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		if exited.ExitCode() >= 0 {
			return exited.ExitCode(), nil
		}
		return 128 + int(syscall.SIGKILL), nil
	}
	return 0, err
}

// startJanitor starts the process that removes the cgroup once the returned file is closed, even if
// we are killed.
func startJanitor(group cgroup) (*exec.Cmd, io.Closer, error) {
	janitor := again(stageJanitor + " " + string(group))
	janitor.Stderr = os.Stderr
	janitor.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of Ctrl-C's reach
	leave, err := janitor.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := janitor.Start(); err != nil {
		return nil, nil, fmt.Errorf("cannot start the janitor: %w", err)
	}
	return janitor, leave, nil
}

func runJanitor(group string) error {
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return RemoveCgroup(group)
}

// again prepares another run of this program. It extends PATH, because root may have an ordinary
// user's PATH from sudo, which lacks the daemons.
func again(stage string) *exec.Cmd {
	return &exec.Cmd{
		Path: "/proc/self/exe",
		Args: os.Args,
		Env:  append(os.Environ(), stageVariable+"="+stage, "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin"),
	}
}

// signalPasser hands the signals that end programs to a function.
type signalPasser struct {
	signals chan os.Signal
	done    chan struct{}
}

func passSignals(pass func(syscall.Signal)) *signalPasser {
	p := &signalPasser{signals: make(chan os.Signal, 16), done: make(chan struct{})}
	signal.Notify(p.signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		defer close(p.done)
		for s := range p.signals {
			if number, ok := s.(syscall.Signal); ok {
				pass(number)
			}
		}
	}()
	return p
}

func (p *signalPasser) stop() {
	signal.Stop(p.signals)
	close(p.signals)
	<-p.done
}

// Outside reports whether the program is still outside the namespaces. Only there can it use the
// machine's own network.
func Outside() bool {
	return os.Getenv(stageVariable) == ""
}
