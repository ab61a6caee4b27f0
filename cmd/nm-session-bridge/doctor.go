package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/doctor"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/self"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func newDoctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [UNIT]",
		Short: "Find out what keeps units from following the targets",
		Long: `Examine NetworkManager, logind, the user manager, the targets and your own units. It
changes nothing. Each finding says what is wrong, why it matters and what mends it: a
command that can be run as it stands, or, after a #, what to do by hand. With UNIT, a
name, a template or the path of a unit's file, it examines no other unit.
nm-session-bridge(1) describes the fields of --json.
Exit status: 0 if everything is in order, 1 if there are findings.`,
		Example: `  # examine this machine and your units
  nm-session-bridge doctor
  # examine one unit, which may also come from a package
  nm-session-bridge doctor syncthing.service
  # use the exit status
  nm-session-bridge doctor && echo fit
  # print only the commands
  nm-session-bridge doctor --json | jq -r '.findings[].mend // empty' | uniq`,
		ValidArgsFunction: completeUnit,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] == "" {
				return errors.New("doctor takes one unit, or none to examine all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			unit := ""
			if len(args) > 0 {
				unit = args[0]
			}
			report, err := doctor.Examine(ctx, doctor.Setting{
				Unit:        unit,
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
			var missing *doctor.NoUnitError
			if errors.As(err, &missing) {
				return usageError{err}
			}
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

func completeUnit(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return doctor.Units(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
}
