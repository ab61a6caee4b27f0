package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/near"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/profiles"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// automatic is what a switch is set to that is to follow the facts again.
const automatic = "auto"

func newSet() *cobra.Command {
	return &cobra.Command{
		Use:   "set SWITCH POSITION|auto",
		Short: "Hold a switch in a position by hand, or let it follow the facts again",
		Long: `Hold a switch in a position by hand, or let it follow the facts again. What is held
stays so over restarts of nm-session-bridge, until "auto" or the end of the login;
"status" shows it. The position of connection is the profiles that are to count as
active, as systemd-escape writes them, with blanks between, or none.`,
		Example: `  # pretend to be offline, on an expensive hotspot for instance
  nm-session-bridge set internet offline
  # try the units of the lid without touching it
  nm-session-bridge set lid closed
  # pretend to be at home, and nowhere else
  nm-session-bridge set connection 'Home\x20Wifi'
  # follow the facts again
  nm-session-bridge set internet auto`,
		ValidArgsFunction: completeSet,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 2 && args[0] == "connection" {
				return errors.New(`set connection takes one word: quotes around several profiles, as in "set connection 'home work'", and \x20 for a blank in a name, as systemd-escape writes it`)
			}
			if len(args) != 2 {
				return fmt.Errorf("set takes a switch and a position, as in \"set internet offline\"; switches are %s", strings.Join(observers.Table().Names(), ", "))
			}
			return acceptable(args[0], args[1])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return setSwitch(cmd.Context(), args[0], args[1], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}

func setSwitch(ctx context.Context, name, position string, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	session, err := dialSession(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	running := client.New(session)
	words := name + " is held " + position + " by hand"
	if position == automatic {
		words = name + " follows the facts"
		err = running.Release(ctx, name)
	} else {
		err = running.Hold(ctx, name, position)
	}
	if errors.Is(err, client.ErrNotRunning) {
		return fmt.Errorf("%w; %s doctor tells why, and what starts it", err, callName())
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, words)
	if doubt := doubtful(name, position); doubt != "" {
		fmt.Fprintln(stderr, "nm-session-bridge: note: "+doubt)
	}
	return nil
}

// acceptable says what is wrong with a position of a switch.
func acceptable(name, position string) error {
	table := observers.Table()
	if s, exists := table.Named(name); exists {
		return acceptableFor(s, position)
	}
	if words := switchOf(name); words != "" {
		if position == automatic {
			words, _, _ = strings.Cut(words, " ")
			words += " " + automatic
		}
		return fmt.Errorf("%s is a target; its switch is set with \"set %s\"", name, words)
	}
	if meant, found := near.Name(name, observers.Table().Names()); found {
		return fmt.Errorf("no switch is called %q, did you mean %s? There are %s", name, meant, strings.Join(observers.Table().Names(), ", "))
	}
	return fmt.Errorf("no switch is called %q; there are %s", name, strings.Join(observers.Table().Names(), ", "))
}

func acceptableFor(s observers.Switch, position string) error {
	err := s.Accepts(position)
	if err == nil || position == automatic {
		return nil
	}
	if !s.HasTemplate() || strings.TrimSpace(position) == "" {
		return fmt.Errorf("%w, or %s to follow the facts", err, automatic)
	}
	for _, instance := range strings.Fields(position) {
		profile, isEscaped := observers.Unescape(instance)
		if !isEscaped {
			profile = instance
		}
		if s.Accepts(observers.Escape(profile)) != nil {
			return fmt.Errorf("the profile %q has no target, for its name as units write it is too long for a unit's; one that is shorter has one", profile)
		}
	}
	return err
}

// switchOf returns what a target stands for as set has it, switch and position, or
// "" for what is no target.
func switchOf(name string) string {
	stem, table := strings.TrimSuffix(name, ".target"), observers.Table()
	if before, profile, isInstance := strings.Cut(stem, "@"); isInstance && slices.Contains(table.Names(), before) {
		return before + " '" + profile + "'"
	}
	for _, s := range table {
		for _, p := range s.Positions {
			if slices.Contains(p.Targets, stem+".target") {
				return s.Name + " " + p.Name
			}
		}
	}
	return ""
}

// doubtful says what is odd about a position that a switch may be held in: a
// profile that there is none of, or not yet.
func doubtful(name, position string) string {
	if s, _ := observers.Table().Named(name); !s.HasTemplate() || position == automatic || position == observers.None {
		return ""
	}
	names, err := profileNames()
	if err != nil {
		return "" // nobody knows
	}
	instances := observers.Instances(position)
	if slices.Contains(names, position) {
		instances = []string{position} // a name with blanks
	}
	var doubts []string
	for _, instance := range instances {
		if words, meant := profiles.Meant(instance, names); words != "" {
			doubts = append(doubts, words+meant)
		}
	}
	return strings.Join(doubts, "; ")
}

// completeSet names the switches, and behind one its positions.
func completeSet(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var words []string
	switch len(args) {
	case 0:
		words = observers.Table().Names()
	case 1:
		words = positionWords(args[0])
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

func positionWords(name string) []string {
	s, exists := observers.Table().Named(name)
	if !exists {
		return nil
	}
	words := []string{automatic}
	if s.HasTemplate() {
		words = append(words, observers.None)
		for _, word := range profileWords() {
			if s.Accepts(word) == nil { // others are too long for a unit's name
				words = append(words, word)
			}
		}
	}
	return append(words, s.PositionNames()...)
}
