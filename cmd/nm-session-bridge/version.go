package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// release is the version that dist/build took from the tag or commit; empty in
// a program that was built without it.
var release string

func versionCommand() command {
	return command{
		name:    "version",
		summary: "print the version",
		prepare: func(*flag.FlagSet) action {
			return func(_ context.Context, out output, _ []string) error {
				fmt.Fprintf(out.stdout, "nm-session-bridge %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return nil
			}
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
