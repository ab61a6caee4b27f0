package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/history"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/positions"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func newHistory() *cobra.Command {
	var options history.Options
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show the switches' past positions, from the journal",
		Long: `Show the switches' past positions, from the journal: a bar for each switch, how long
each position lasted in total, and the latest transitions. The time during which the
bridge was not running, the machine slept, or the position was unknown does not count.
nm-session-bridge(1) describes the fields of --json.`,
		Example: `  # the last 24 hours
  nm-session-bridge history
  # how long you were online today
  nm-session-bridge history --since=today --switch=internet
  # the last week, for programs
  nm-session-bridge history --since=7d --json`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := history.Show(cmd.Context(), cmd.OutOrStdout(), options)
			if wrong := (history.SinceError{}); errors.As(err, &wrong) {
				return usageError{err}
			}
			return err
		},
	}
	names, flags := observers.Table().Names(), cmd.Flags()
	flags.StringVar(&options.Since, "since", "24h", "begin at a `TIME` as in journalctl --since, or how long ago, such as 2h or 3d")
	flags.Func("switch", "show only the switch with this `NAME`: "+strings.Join(names, ", "), func(name string) error {
		options.Switch = name
		return positions.CheckSwitch(name)
	})
	flags.BoolVar(&options.JSON, "json", false, "print JSON")
	flags.BoolVar(&options.Verbose, "verbose", false, fmt.Sprintf("list all transitions instead of the last %d", history.LatestTransitions))
	for name, complete := range map[string]cobra.CompletionFunc{
		"since":  cobra.NoFileCompletions,
		"switch": cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp),
	} {
		_ = cmd.RegisterFlagCompletionFunc(name, complete) // fails only for a flag that does not exist or has one already
	}
	return cmd
}
