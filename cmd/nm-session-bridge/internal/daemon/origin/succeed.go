package origin

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// Succeed lets the new program take over. Its error is [ErrReplaced] if a service
// manager starts the next process, with the unit as it is then. A process that was
// started by hand becomes the new program, because nobody would start another.
func (f *File) Succeed() error {
	if isService() {
		return ErrReplaced
	}
	if err := syscall.Exec(f.path, os.Args, os.Environ()); err != nil {
		return fmt.Errorf("cannot start the program that has replaced this one; start it by hand: %w", &os.PathError{Op: "exec", Path: f.path, Err: err})
	}
	return nil
}

// isService reports whether a service manager has started this process: others inherit
// the variable from a service, with the number of another process (systemd.exec(5)).
func isService() bool { return os.Getenv("SYSTEMD_EXEC_PID") == strconv.Itoa(os.Getpid()) }
