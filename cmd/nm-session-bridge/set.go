package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/near"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/profiles"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// automatic is what a switch is set to that is to follow the facts again.
const automatic = "auto"

func setCommand() command {
	return command{
		name:     "set",
		operands: "SWITCH POSITION|auto",
		summary:  "hold a switch in a position by hand, or let it follow the facts again",
		notes: `What is held stays so over restarts of nm-session-bridge, until "auto" or the end
of the login. "status" shows it. The position of connection is the profiles that are
to count as active, as systemd-escape writes them, with blanks between, or none.`,
		examples: []example{
			{"set internet offline", "pretend to be offline, on an expensive hotspot for instance"},
			{"set lid closed", "try the units of the lid without touching it"},
			{`set connection 'Home\x20Wifi'`, "pretend to be at home, and nowhere else"},
			{"set internet auto", "follow the facts again"},
		},
		words:   setWords,
		prepare: func(*flag.FlagSet) action { return setSwitch },
	}
}

func setSwitch(ctx context.Context, out output, operands []string) error {
	if len(operands) > 2 && operands[0] == "connection" {
		return usageError{errors.New(`set connection takes one word: quotes around several profiles, as in "set connection 'home work'", and \x20 for a blank in a name, as systemd-escape writes it`)}
	}
	if len(operands) != 2 {
		return usageError{fmt.Errorf("set takes a switch and a position, as in \"set internet offline\"; switches are %s", joined(observers.Table().Names()))}
	}
	name, position := operands[0], operands[1]
	if err := acceptable(name, position); err != nil {
		return usageError{err}
	}
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
	fmt.Fprintln(out.stdout, words)
	if doubt := doubtful(name, position); doubt != "" {
		fmt.Fprintln(out.stderr, "nm-session-bridge: note: "+doubt)
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
	if meant, found := near.Name(name, table.Names()); found {
		return fmt.Errorf("no switch is called %q, did you mean %s? There are %s", name, meant, joined(table.Names()))
	}
	return fmt.Errorf("no switch is called %q; there are %s", name, joined(table.Names()))
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

// setWords are the switches, and behind one its positions.
func setWords(before []string) []string {
	switch len(before) {
	case 0:
		return observers.Table().Names()
	case 1:
		return positionWords(before[0])
	}
	return nil
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
