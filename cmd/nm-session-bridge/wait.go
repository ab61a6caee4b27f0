package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/positions"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/wait"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func newWait() *cobra.Command {
	var not bool
	var timeout time.Duration
	var conditions []wait.Condition
	cmd := &cobra.Command{
		Use:   "wait SWITCH POSITION | SWITCH=POSITION...",
		Short: "Wait until a switch is in a position, or several are at the same time",
		Long: `Wait until a switch is in a position and the targets of its other positions have
stopped. With several switches, wait until all are in their positions at the same time.
For connection, the named profiles must be active; others may be active, too.
A unit that the position's target wants can run it, because wait does not wait for the
start of that target. Without --timeout it waits forever, and it continues when
nm-session-bridge restarts. If no bridge is running at the start, the exit status is 3.`,
		Example: `  # a line for a unit that must start online
  ExecStartPre=%h/.local/bin/nm-session-bridge wait internet online --timeout=30s
  # in a script: online, with the lid open
  nm-session-bridge wait internet=online lid=open
  # until the profile is no longer active
  nm-session-bridge wait --not connection 'Home\x20Wifi'`,
		ValidArgsFunction: completeWait,
		Args: func(_ *cobra.Command, args []string) (err error) {
			conditions, err = wait.Conditions(args, not)
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := cmd.Context(), context.CancelFunc(func() {})
			limited := cmd.Flags().Changed("timeout")
			if limited {
				ctx, cancel = context.WithTimeout(ctx, timeout)
			}
			defer cancel()
			err := wait.Until(ctx, conditions)
			switch {
			case errors.Is(err, client.ErrNotRunning):
				cmd.PrintErrln("nm-session-bridge:", advise(err))
				return exitStatus(notRunning)
			case err != nil && limited && errors.Is(ctx.Err(), context.DeadlineExceeded):
				return fmt.Errorf("gave up after %s: %w", timeout, err)
			}
			return err
		},
	}
	cmd.Flags().Func("timeout", "fail after a `DURATION` such as 30s", duration(&timeout))
	cmd.Flags().BoolVar(&not, "not", false, "wait until the switches are in other positions")
	_ = cmd.RegisterFlagCompletionFunc("timeout", cobra.NoFileCompletions) // the flag exists
	return cmd
}

// completeWait names the switches, and after a switch its positions.
func completeWait(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch {
	case len(args) == 1 && !strings.Contains(args[0], "="):
		return positions.Existing(cmd.Context(), args[0]), cobra.ShellCompDirectiveNoFileComp
	case strings.Contains(typed, "="):
		name, _, _ := strings.Cut(typed, "=")
		var pairs []string
		for _, position := range positions.Existing(cmd.Context(), name) {
			pairs = append(pairs, name+"="+position)
		}
		return pairs, cobra.ShellCompDirectiveNoFileComp
	case len(args) == 0:
		return observers.Table().Names(), cobra.ShellCompDirectiveNoFileComp
	}
	var switches []string
	for _, name := range observers.Table().Names() {
		switches = append(switches, name+"=")
	}
	return switches, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
