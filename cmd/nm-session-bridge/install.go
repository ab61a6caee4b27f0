package main

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/installer"
)

// manual holds the manual's pages, in mdoc(7).
//
//go:embed dist/*.1 dist/*.5 dist/*.7
var manual embed.FS

func newInstall() *cobra.Command {
	var options installer.Options
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install program, service and targets for this user",
		Example: `  # install, or upgrade, and start the service
  nm-session-bridge install --now`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			extras, err := extrasOf(cmd.Root())
			if err != nil {
				return err
			}
			return installer.Install(cmd.Context(), options, extras, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&options.Now, "now", false, "start the service, or restart it if it runs a program other than the installed one")
	cmd.Flags().BoolVar(&options.Force, "force", false, "replace files that you changed, and keep each of them with a ~ at the end of its name")
	return cmd
}

// extrasOf returns the files that install writes besides the program and the units.
func extrasOf(root *cobra.Command) (installer.Extras, error) {
	pages, err := fs.Sub(manual, "dist")
	var bash, fish bytes.Buffer
	err = errors.Join(err, root.GenBashCompletionV2(&bash, true), root.GenFishCompletion(&fish, true))
	return installer.Extras{Manual: pages, Bash: bash.Bytes(), Fish: fish.Bytes()}, err
}
