package main

import (
	"context"
	"flag"
	"os"
	"os/exec"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/doctor"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func doctorCommand() command {
	return command{
		name:    "doctor",
		summary: "find out what keeps units from following the targets",
		notes: `It looks at NetworkManager, logind, the user manager, the targets and your own
units, changes nothing, and says for each finding what is wrong, why it matters
and the command that mends it. Exit status: 0 all is in order, 1 findings.`,
		examples: []example{
			{"doctor", "look at this machine and at your units"},
			{"doctor && echo fit", "act on the exit status"},
			{"doctor | grep mend", "only the commands that mend"},
		},
		prepare: func(*flag.FlagSet) action {
			return func(ctx context.Context, out output, _ []string) error {
				report := doctor.Examine(ctx, doctor.Setting{
					Switches:    observers.Table(),
					Environment: os.Environ(),
					UID:         os.Getuid(),
					Program:     callName(),
					Usage:       usageOf,
				})
				if err := ctx.Err(); err != nil {
					return err
				}
				report.Write(out.stdout)
				if len(report.Findings) > 0 {
					return statusError(failure)
				}
				return nil
			}
		},
	}
}

// usageOf says what is wrong with the program's arguments.
func usageOf(args []string) error {
	c, rest, err := choose(args)
	if err != nil {
		return err
	}
	flags, _ := c.declare()
	_, err = c.parse(flags, rest)
	return err
}

// callName is how this program is called from the user's shell.
func callName() string {
	const name = "nm-session-bridge"
	if _, err := exec.LookPath(name); err == nil {
		return name
	}
	if self, err := os.Executable(); err == nil {
		return self
	}
	return name
}
