package origin

import (
	"fmt"
	"os"
	"syscall"
)

// Succeed lets the new program take over. Its error is [ErrReplaced] if a service
// manager starts the next process, with the unit as it is then. If nobody would start
// another process, this one becomes the new program.
func (f *File) Succeed(isStartedAgain bool) error {
	if isStartedAgain {
		return ErrReplaced
	}
	if err := syscall.Exec(f.path, os.Args, os.Environ()); err != nil {
		return fmt.Errorf("cannot start the program that has replaced this one; start it by hand: %w", &os.PathError{Op: "exec", Path: f.path, Err: err})
	}
	return nil
}
