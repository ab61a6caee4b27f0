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
	if s, exists := observers.Table().Named(name); exists {
		return checkFor(command, s, position)
	}
	return notASwitch(command, name, position)
}

// Incomplete returns what is wrong with a command that has a switch and no position.
func Incomplete(command, name string) error {
	if s, exists := observers.Table().Named(name); exists {
		return fmt.Errorf("%s %s needs a position; accepted are %s", command, name, accepted(command, s))
	}
	of, position, isPair := strings.Cut(name, "=")
	if !isPair {
		return notASwitch(command, name, "")
	}
	if err := Check(command, of, position); err != nil {
		return err
	}
	return fmt.Errorf("%s takes two words, %q and %q, instead of %q", command, of, position, name)
}

// CheckSwitch returns an error if there is no such switch.
func CheckSwitch(name string) error {
	names := observers.Table().Names()
	if slices.Contains(names, name) {
		return nil
	}
	all := strings.Join(names, ", ")
	if meant, found := suggest.Name(name, names); found {
		return fmt.Errorf("no switch is called %q, did you mean %s? Switches are %s", name, meant, all)
	}
	return fmt.Errorf("no switch is called %q; switches are %s", name, all)
}

// notASwitch returns the error for a name that no switch has. A target's name may stand
// for a switch.
func notASwitch(command, name, position string) error {
	if words := switchOf(name); words != "" {
		if position == Automatic {
			words, _, _ = strings.Cut(words, " ")
			words += " " + Automatic
		}
		return fmt.Errorf("%s is a target, not a switch; write \"%s %s\"", name, command, words)
	}
	return CheckSwitch(name)
}

// accepted lists the positions of a switch that a command accepts.
func accepted(command string, s observers.Switch) string {
	all := strings.Join(s.PositionNames(), ", ")
	if s.HasTemplate() {
		all = observers.None + ", profiles as systemd-escape writes them"
	}
	if command == "set" {
		all += ", or " + Automatic + " to follow the facts"
	}
	return all
}

func checkFor(command string, s observers.Switch, position string) error {
	_, err := s.Canonical(position)
	canBeAutomatic := command == "set"
	if err == nil || canBeAutomatic && position == Automatic {
		return nil
	}
	words := s.PositionNames()
	if canBeAutomatic {
		words = append(words, Automatic)
	}
	if meant, found := suggest.Name(position, words); found && !s.HasTemplate() {
		return fmt.Errorf("the %s has no position %q, did you mean %s? Accepted are %s", s.Name, position, meant, accepted(command, s))
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
