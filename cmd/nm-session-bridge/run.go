package main

import (
	"context"
	_ "embed" // the description of our bus interface
	"errors"
	"flag"
	"os"
	"runtime"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

//go:embed dist/org.nmsessionbridge.Bridge1.xml
var introspection string

func runCommand() command {
	return command{
		name:    "run",
		summary: "observe and keep the targets true",
		notes:   "This is what the user service does. SIGHUP has everything read anew.",
		examples: []example{
			{"run --switches=internet,lid", "keep the targets of two switches only"},
			{"run --limited-grace=30s", "take half a minute of limited connectivity for nothing"},
		},
		prepare: func(flags *flag.FlagSet) action {
			var options runOptions
			options.declare(flags)
			return func(ctx context.Context, out output, _ []string) error {
				// From a signal to a job each goroutine waits for the one before. More
				// threads would only be woken, and look for work in vain.
				runtime.GOMAXPROCS(1)
				return run(ctx, options, out.stderr)
			}
		},
	}
}

// run keeps the targets true until the context ends.
func run(ctx context.Context, options runOptions, stderr *os.File) error {
	err := daemon.Run(ctx, daemon.Config{
		Switches:      observers.Table().Choose(options.switches),
		Policy:        options.policy,
		Introspection: introspection,
	}, journal.New(stderr))
	var told daemon.LoggedError
	if errors.As(err, &told) {
		return loggedError{err}
	}
	return err
}
