package main

import (
	"context"
	_ "embed" // the description of our bus interface
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/origin"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/positions"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

//go:embed dist/org.nmsessionbridge.Bridge1.xml
var introspection string

// runOptions are the flags of run.
type runOptions struct {
	policy   observers.Policy
	switches []string // names; empty for all
}

// declare sets the defaults and declares the flags that change them.
func (o *runOptions) declare(flags *pflag.FlagSet) {
	o.policy = observers.Policy{
		OnlineWhen:   observers.Full,
		LimitedGrace: 5 * time.Second,
		GoneGrace:    10 * time.Second,
	}
	flags.Func("switches", "run only the switches in the `LIST`, separated by commas; the default is "+strings.Join(observers.Table().Names(), ","), o.chooseSwitches)
	flags.Func("online-when", "the connectivity that counts as online: `full|limited` (default full); limited is for networks that block the check", o.setBar)
	flags.Func("limited-grace", "go offline once connectivity has been limited for a `DURATION` (default 5s)", duration(&o.policy.LimitedGrace))
	flags.Func("gone-grace", "keep positions for a `DURATION` while NetworkManager or logind is away (default 10s)", duration(&o.policy.GoneGrace))
}

// parseRun reads a command line that runs the bridge. It reports false for any other
// command line, and for an error or a call for help, which cobra handles. Building all
// commands would cost the daemon 0.3 MB at rest, on top of its own 2.6 MB.
func parseRun(args []string) (runOptions, bool) {
	if len(args) > 0 && args[0] == "run" {
		args = args[1:]
	}
	var options runOptions
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	flags.Usage = func() {}
	options.declare(flags)
	err := flags.Parse(args)
	return options, err == nil && flags.NArg() == 0
}

func newRun() *cobra.Command {
	var options runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Watch the machine and keep the targets true",
		Long: `Watch the machine and keep the targets true. This is what the user service does.
SIGHUP makes it read everything again.`,
		Example: `  # keep only the targets of two switches
  nm-session-bridge run --switches=internet,lid
  # stay online through half a minute of limited connectivity
  nm-session-bridge run --limited-grace=30s`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), options, os.Stderr)
		},
	}
	options.declare(cmd.Flags())
	for name, complete := range map[string]cobra.CompletionFunc{
		"switches":      completeSwitches,
		"online-when":   cobra.FixedCompletions(bars(), cobra.ShellCompDirectiveNoFileComp),
		"limited-grace": cobra.NoFileCompletions,
		"gone-grace":    cobra.NoFileCompletions,
	} {
		_ = cmd.RegisterFlagCompletionFunc(name, complete) // fails only for a flag that does not exist or has one already
	}
	return cmd
}

func bars() []string { return []string{string(observers.Full), string(observers.Limited)} }

func (o *runOptions) setBar(given string) error {
	if !slices.Contains(bars(), given) {
		return fmt.Errorf("accepted values are %s", strings.Join(bars(), ", "))
	}
	o.policy.OnlineWhen = observers.Bar(given)
	return nil
}

func (o *runOptions) chooseSwitches(list string) error {
	names := strings.Split(list, ",")
	for _, name := range names {
		if err := positions.CheckSwitch(name); err != nil {
			return fmt.Errorf("%w, separated by commas", err)
		}
	}
	o.switches = names
	return nil
}

// completeSwitches completes the last name of a list with the switches that the list
// does not have yet.
func completeSwitches(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	done := typed[:strings.LastIndex(typed, ",")+1]
	var lists []string
	for _, name := range observers.Table().Names() {
		if !slices.Contains(strings.Split(done, ","), name) {
			lists = append(lists, done+name)
		}
	}
	return lists, cobra.ShellCompDirectiveNoFileComp
}

// run keeps the targets true until the context ends.
func run(ctx context.Context, options runOptions, stderr *os.File) error {
	// From a signal to a job, each goroutine waits for the one before it. More threads
	// would only wake up and find no work.
	runtime.GOMAXPROCS(1)
	err := daemon.Run(ctx, daemon.Config{
		Switches:      observers.Table().Choose(options.switches),
		Policy:        options.policy,
		Introspection: introspection,
	}, journal.New(stderr))
	var logged daemon.LoggedError
	switch {
	case errors.As(err, &logged):
		return exitStatus(failure)
	case errors.Is(err, origin.ErrReplaced):
		return exitStatus(daemon.Outdated)
	}
	return err
}
