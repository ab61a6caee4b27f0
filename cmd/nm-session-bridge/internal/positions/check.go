package positions

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/suggest"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Check returns an error if a switch has no such position. The error names what the
// command accepts: "wait", or "set", which also takes [Automatic].
func Check(command, name, position string) error {
	table := observers.Table()
	if s, exists := table.Named(name); exists {
		return checkFor(command, s, position)
	}
	if words := switchOf(name); words != "" {
		if position == Automatic {
			words, _, _ = strings.Cut(words, " ")
			words += " " + Automatic
		}
		return fmt.Errorf("%s is a target, not a switch; write \"%s %s\"", name, command, words)
	}
	all := strings.Join(table.Names(), ", ")
	if meant, found := suggest.Name(name, table.Names()); found {
		return fmt.Errorf("no switch is called %q, did you mean %s? Switches are %s", name, meant, all)
	}
	return fmt.Errorf("no switch is called %q; switches are %s", name, all)
}

func checkFor(command string, s observers.Switch, position string) error {
	_, err := s.Canonical(position)
	canBeAutomatic := command == "set"
	if err == nil || canBeAutomatic && position == Automatic {
		return nil
	}
	if canBeAutomatic && (!s.HasTemplate() || strings.TrimSpace(position) == "") {
		return fmt.Errorf("%w, or %s to follow the facts", err, Automatic)
	}
	for _, instance := range strings.Fields(position) {
		profile, isEscaped := observers.Unescape(instance)
		if !isEscaped {
			profile = instance
		}
		if _, err := s.Canonical(observers.Escape(profile)); s.HasTemplate() && err != nil {
			return fmt.Errorf("the profile %q has no target: its name, escaped as systemd-escape does, is too long for a unit; a shorter name has one", profile)
		}
	}
	return err
}

// switchOf returns the switch and the position that a target stands for, as the
// arguments of set, or "" if there is no such target.
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
