package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/doctor"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/self"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func newDoctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what keeps units from following the targets",
		Long: `Check NetworkManager, logind, the user manager, the targets and your own units. It
changes nothing, and reports for each finding what is wrong, why it matters and what
mends it: a command that can be run as it stands, or, behind a #, what to do by hand.
The fields of --json are in nm-session-bridge(1). Exit status: 0 everything is in
order, 1 findings.`,
		Example: `  # look at this machine and at your units
  nm-session-bridge doctor
  # act on the exit status
  nm-session-bridge doctor && echo fit
  # only the commands that mend
  nm-session-bridge doctor --json | jq -r '.findings[].mend // empty' | uniq`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			report := doctor.Examine(ctx, doctor.Setting{
				Switches:    observers.Table(),
				Environment: os.Environ(),
				UID:         os.Getuid(),
				Program:     self.Command(),
				Path:        self.Path(),
				Usage:       func(args []string) error { return check(cmd.Root(), args) },
			})
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if asJSON {
				err = report.WriteJSON(cmd.OutOrStdout())
			} else {
				report.Write(cmd.OutOrStdout())
			}
			if err == nil && len(report.Findings) > 0 {
				err = exitStatus(failure)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
