package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is an error in how the program was called.
type usageError struct{ error }

// check returns what is wrong with the program's arguments, without running anything.
func check(root *cobra.Command, args []string) error {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return unknownCommand(root, err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return explainFlag(cmd, err)
	}
	if cmd == root {
		return onlyFlags(cmd, cmd.Flags().Args())
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// onlyFlags accepts no arguments besides flags.
func onlyFlags(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q: %s takes only flags", args[0], cmd.Name())
	}
	return nil
}

// unknownCommand turns cobra's error, which puts its suggestions on lines of their
// own, into one line that also names all commands.
func unknownCommand(root *cobra.Command, err error) error {
	var names []string
	for _, cmd := range root.Commands() {
		names = append(names, cmd.Name())
	}
	all := strings.Join(names, ", ")
	problem, suggested, _ := strings.Cut(err.Error(), "\n\nDid you mean this?\n")
	if meant := strings.Fields(suggested); len(meant) > 0 {
		return fmt.Errorf("%s, did you mean %s? Commands are %s", problem, strings.Join(meant, " or "), all)
	}
	return fmt.Errorf("%s; commands are %s", problem, all)
}

// explainFlag says what is wrong with a flag and what is accepted instead.
func explainFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		err = unknownFlag(cmd, unknown)
	case errors.As(err, &missing):
		err = fmt.Errorf("flag --%s needs a value, as in --%[1]s=VALUE", missing.GetSpecifiedName())
	case errors.As(err, &invalid):
		name := invalid.GetFlag().Name
		cause := invalid.Unwrap()
		if invalid.GetFlag().Value.Type() == "bool" {
			cause = fmt.Errorf("it takes none, write --%s", name)
		}
		err = fmt.Errorf("invalid value %q for flag --%s: %w", invalid.GetValue(), name, cause)
	}
	return usageError{err}
}

func unknownFlag(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	given := "--" + unknown.GetSpecifiedName()
	if letters := unknown.GetSpecifiedShortnames(); letters != "" {
		given = "-" + letters
		for _, word := range []string{letters, "h" + letters} { // -h is a flag by itself, so -help arrives as elp
			name, _, _ := strings.Cut(word, "=")
			if cmd.Flags().Lookup(name) != nil {
				return fmt.Errorf("unknown flag -%s: long flags take two dashes, write --%[1]s", word)
			}
		}
	}
	var accepted []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			accepted = append(accepted, "--"+f.Name)
		}
	})
	if len(accepted) == 0 {
		return fmt.Errorf("unknown flag %s: %s has no flags", given, cmd.Name())
	}
	return fmt.Errorf("unknown flag %s: flags of %s are %s", given, cmd.Name(), strings.Join(accepted, ", "))
}

// duration returns a function that parses the value of a flag and stores it. Durations
// must not be negative.
func duration(target *time.Duration) func(string) error {
	return func(given string) error {
		d, err := time.ParseDuration(given)
		if err != nil || d < 0 {
			return errors.New("accepted values are durations such as 500ms, 5s or 1m")
		}
		*target = d
		return nil
	}
}

// checkHelp makes help refuse a command that does not exist. Cobra's own help would
// succeed.
func checkHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" {
			continue
		}
		cmd.Args = func(_ *cobra.Command, args []string) error {
			_, rest, err := root.Find(args)
			if err != nil {
				return unknownCommand(root, err)
			}
			if len(rest) > 0 {
				return fmt.Errorf("unexpected argument %q: help takes one command", rest[0])
			}
			return nil
		}
	}
}
