package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// hostname is the blog post's machine.
const hostname = "kanonji"

// runInit is pid 1 of the sandbox: it furnishes the namespaces, runs the program proper, reaps
// orphans and returns the program's status. When it exits, the kernel kills all remaining
// processes.
func runInit(tree string) (int, error) {
	if os.Getpid() != 1 {
		return 0, fmt.Errorf("%s=%s is set but this is process %d, not 1", stageVariable, stageInit, os.Getpid())
	}
	// A cgroup namespace belongs to a thread until a child inherits it.
	runtime.LockOSThread()
	directory, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	// This comes only now because the namespace's root is the cgroup in which this process was
	// born.
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return 0, fmt.Errorf("cannot make a cgroup namespace: %w", err)
	}
	if err := unix.Sethostname([]byte(hostname)); err != nil {
		return 0, fmt.Errorf("cannot set the host name: %w", err)
	}
	if err := furnish(tree); err != nil {
		return 0, err
	}
	// The old directory may lie under one of the new mounts.
	if err := os.Chdir(directory); err != nil {
		return 0, fmt.Errorf("the sandbox hides the working directory: %w", err)
	}

	if err := os.Setenv(stageVariable, stageInside); err != nil {
		return 0, err
	}
	program, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		return 0, fmt.Errorf("cannot run %s inside: %w", os.Args[0], err)
	}
	passSignals(func(s syscall.Signal) { _ = syscall.Kill(program, s) })
	return reapUntil(program)
}

// reapUntil collects orphans until the given child has ended.
func reapUntil(child int) (int, error) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for process %d: %w", child, err)
		case pid == child && status.Signaled():
			return 128 + int(status.Signal()), nil
		case pid == child:
			return status.ExitStatus(), nil
		}
	}
}
