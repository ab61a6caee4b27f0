package main

import (
	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/monitor"
)

func newMonitor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Follow the switches as they change, until interrupted",
		Long: `Follow the switches as they change, until interrupted. It begins with the present
positions and continues when nm-session-bridge restarts. With --json each line is an
object with the fields time, switch, from, to, reason and held. An object with the
field running says that the bridge starts or stops. An object with the field omitted
says how many changes are left out because nobody read them in time.`,
		Example: `  # watch while you pull the cable
  nm-session-bridge monitor
  # one object per line, for programs
  nm-session-bridge monitor --json | jq --unbuffered .to`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return monitor.Follow(cmd.Context(), cmd.OutOrStdout(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}
