package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/doctor"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/self"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func newDoctor() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Find out what keeps units from following the targets",
		Long: `Check NetworkManager, logind, the user manager, the targets and your own units. It
changes nothing, and reports for each finding what is wrong, why it matters and the
command that mends it. Exit status: 0 everything is in order, 1 findings.`,
		Example: `  # look at this machine and at your units
  nm-session-bridge doctor
  # act on the exit status
  nm-session-bridge doctor && echo fit
  # only the commands that mend
  nm-session-bridge doctor | grep mend`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			report := doctor.Examine(ctx, doctor.Setting{
				Switches:    observers.Table(),
				Environment: os.Environ(),
				UID:         os.Getuid(),
				Program:     self.Command(),
				Usage:       func(args []string) error { return check(cmd.Root(), args) },
			})
			if err := ctx.Err(); err != nil {
				return err
			}
			report.Write(cmd.OutOrStdout())
			if len(report.Findings) > 0 {
				return exitStatus(failure)
			}
			return nil
		},
	}
}
