// Package bound runs commands that leave nothing running, however the calling process ends.
package bound

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// Run runs a command that does not outlive the calling process.
func Run(cmd *exec.Cmd) error {
	// The kernel treats the end of the thread that started the command as the end of the caller.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return nil
}

// Isolated prepares a command of root whose mounts and processes end with it. Run it with Run.
func Isolated(ctx context.Context, command ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "unshare", append([]string{
		"--mount", "--pid", "--mount-proc", "--fork", "--kill-child", "--",
	}, command...)...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	return cmd
}
