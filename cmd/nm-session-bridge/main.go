// Command nm-session-bridge keeps systemd user targets equal to what
// NetworkManager and logind say of the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `Usage: nm-session-bridge [COMMAND] [FLAGS]

Keeps systemd user targets equal to what NetworkManager and logind say:
  internet-online.target, internet-offline.target, internet-portal.target
  lid-open.target, lid-closed.target
  sleep.target, before the machine sleeps

Commands:
  run          observe and keep the targets true (the default)
  install      install program, service and targets for this user
  uninstall    take away what install wrote
  help         show this text

Flags of run:
  --switches=internet,lid,sleep
                              which switches to keep (default: all)
  --online-when=full|limited  what connectivity is called online (default full)
  --limited-grace=5s          how long limited connectivity may last before an
                              online switch goes offline
  --gone-grace=10s            how long switches keep their positions while
                              NetworkManager or logind is away

Flags of install:
  --now      start the service, or restart it if it runs an older version
  --force    replace files that were changed since they were installed; the
             changed file is kept beside it with a ~ behind its name

Flags of uninstall:
  --force    remove installed files even where they were changed

Example: start a program when the internet is there and stop it when not
  [Unit]
  After=internet-online.target
  PartOf=internet-online.target
  Requisite=internet-online.target
  [Service]
  ExecStart=/usr/bin/offlineimap
  [Install]
  WantedBy=internet-online.target

Exit status: 0 success, 1 failure, 2 wrong usage.
`

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

// usageError is an error in how the program was called.
type usageError struct{ error }

// loggedError is an error that the log tells of already.
type loggedError struct{ error }

// execute runs the command that the arguments name and returns the exit status.
func execute(ctx context.Context, args []string, stdout io.Writer, stderr *os.File) int {
	err := dispatch(ctx, args, stdout, stderr)
	var wrong usageError
	var told loggedError
	switch {
	case err == nil:
		return success
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(stdout, usage)
		return success
	case errors.As(err, &told):
		return failure
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "nm-session-bridge: %v; see nm-session-bridge help\n", err)
		return wrongUsage
	}
	fmt.Fprintf(stderr, "nm-session-bridge: %v\n", err)
	return failure
}

func dispatch(ctx context.Context, args []string, stdout io.Writer, stderr *os.File) error {
	command := "run"
	if len(args) > 0 && (len(args[0]) == 0 || args[0][0] != '-') {
		command, args = args[0], args[1:]
	}
	switch command {
	case "help":
		return flag.ErrHelp
	case "run":
		options, err := parseRun(args)
		if err != nil {
			return err
		}
		return run(ctx, options, stderr)
	case "install":
		options, err := parseInstall(args)
		if err != nil {
			return err
		}
		return install(ctx, options, stdout)
	case "uninstall":
		options, err := parseUninstall(args)
		if err != nil {
			return err
		}
		return uninstall(ctx, options, stdout)
	}
	return usageError{fmt.Errorf("unknown command %q: commands are run, install, uninstall, help", command)}
}
