// Command nm-session-bridge keeps systemd user targets equal to what
// NetworkManager and logind say of the machine.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// Exit statuses.
const (
	success    = 0
	failure    = 1
	wrongUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	status := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// usageError is an error in how the program was called. Its words end with the
// help to read.
type usageError struct{ error }

// loggedError is an error that the log tells of already.
type loggedError struct{ error }

// statusError ends the program with a status that tells more than its words,
// which have been printed.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// execute runs the command that the arguments name and returns the exit status.
func execute(ctx context.Context, args []string, stdout, stderr *os.File) int {
	printed := &printout{file: stdout}
	err := dispatch(ctx, args, output{printed, stderr})
	var wrong usageError
	var told loggedError
	var status statusError
	if err == nil || errors.As(err, &status) {
		err = cmp.Or(printed.err, err)
	}
	switch {
	case err == nil:
		return success
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &told):
		return failure
	}
	fmt.Fprintf(stderr, "nm-session-bridge: %v\n", err)
	if errors.As(err, &wrong) {
		return wrongUsage
	}
	return failure
}

func dispatch(ctx context.Context, args []string, out output) error {
	if isHelp(args) {
		return help(out.stdout, args[1:])
	}
	c, rest, err := choose(args)
	if err != nil {
		return err
	}
	err = c.call(ctx, out, rest)
	if errors.Is(err, flag.ErrHelp) {
		c.help(out.stdout)
		return nil
	}
	var wrong usageError
	if errors.As(err, &wrong) {
		return usageError{fmt.Errorf("%w; see nm-session-bridge help %s", wrong.error, c.name)}
	}
	return err
}

// isHelp tells whether the arguments ask for help on no command in particular.
func isHelp(args []string) bool {
	return len(args) > 0 && slices.Contains([]string{"help", "--help", "-help", "-h"}, args[0])
}

func help(w io.Writer, args []string) error {
	switch {
	case len(args) > 1:
		return usageError{fmt.Errorf("unexpected argument %q: help takes one command; see nm-session-bridge help", args[1])}
	case len(args) == 0 || isHelp(args):
		overview(w)
		return nil
	case strings.HasPrefix(args[0], "-"):
		return usageError{fmt.Errorf("unknown flag %s: help has no flags; see nm-session-bridge help", args[0])}
	}
	c, _, err := choose(args)
	if err == nil {
		c.help(w)
	}
	return err
}
