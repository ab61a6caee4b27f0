package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// release is the version that dist/build took from the tag or commit; empty in
// a program that was built without it.
var release string

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "nm-session-bridge %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// version returns the version of the program: that of dist/build, otherwise what
// go build or go install recorded, otherwise "unknown", as go run records nothing.
func version() string {
	var recorded string
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "(devel)" {
		recorded = strings.TrimPrefix(info.Main.Version, "v")
	}
	return cmp.Or(release, recorded, "unknown")
}
