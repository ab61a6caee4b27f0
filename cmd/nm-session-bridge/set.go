package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/positions"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func newSet() *cobra.Command {
	return &cobra.Command{
		Use:   "set SWITCH POSITION|auto",
		Short: "Hold a switch in a position by hand, or let it follow the facts again",
		Long: `Hold a switch in a position by hand, or let it follow the facts again. A held switch
keeps its position, even if nm-session-bridge restarts, until "auto" or until you log
out; "status" shows it. The position of connection is none, or lists the profiles that
count as active, separated by blanks, as systemd-escape writes them.`,
		Example: `  # pretend to be offline, on an expensive hotspot for instance
  nm-session-bridge set internet offline
  # try the units of the lid without touching it
  nm-session-bridge set lid closed
  # pretend that this profile is active, and no other
  nm-session-bridge set connection 'Home\x20Wifi'
  # let it follow the facts again
  nm-session-bridge set internet auto`,
		ValidArgsFunction: completeSet,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 2 && args[0] == "connection" {
				return errors.New(`set connection takes one argument: quote several profiles, as in "set connection 'home work'", and write \x20 for a blank in a name, as systemd-escape does`)
			}
			if len(args) == 1 {
				return positions.Incomplete("set", args[0])
			}
			if len(args) != 2 {
				return fmt.Errorf("set takes a switch and a position, as in \"set internet offline\"; switches are %s", strings.Join(observers.Table().Names(), ", "))
			}
			return positions.Check("set", args[0], args[1])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			now, odd, err := positions.Set(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), now)
			if odd != "" {
				cmd.PrintErrln("nm-session-bridge: note: " + odd)
			}
			return nil
		},
	}
}

// completeSet names the switches, and after a switch its positions.
func completeSet(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var words []string
	switch len(args) {
	case 0:
		words = observers.Table().Names()
	case 1:
		words = positions.Words(cmd.Context(), args[0])
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}
