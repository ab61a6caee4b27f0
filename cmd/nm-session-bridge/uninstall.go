package main

import (
	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/installer"
)

func newUninstall() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove what install wrote",
		Long: `Disable and stop the service, stop the targets, remove what install wrote, and say what
is left: links that enable your units, and units of recipes. The files of a package stay.`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return installer.Uninstall(cmd.Context(), force, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also remove installed files that you changed")
	return cmd
}
