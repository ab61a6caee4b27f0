package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/self"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/status"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/terminal"
)

func newStatus() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show every switch, its targets, and the units that follow them",
		Long: `Show every switch, its targets, and the units that follow them. It also works while
nm-session-bridge is not running; it then says so and exits with 3.
nm-session-bridge(1) describes the fields of --json.`,
		Example: `  # how things stand, and why
  nm-session-bridge status
  # one position, for a script
  nm-session-bridge status --json | jq -r '.switches[] | select(.name == "internet").position'`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := status.Look(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				err = report.WriteJSON(cmd.OutOrStdout())
			} else {
				report.Print(cmd.OutOrStdout(), time.Now(), self.Command(), terminal.StyleOf(cmd.OutOrStdout()))
			}
			if err == nil && !report.Running {
				err = exitStatus(notRunning)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
