package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/near"
)

// command is something that the program can be told to do.
type command struct {
	name string
	// operands are what follows the flags, as the help shows it; empty for none.
	operands string
	// summary is one line for the list of commands.
	summary string
	// notes are further lines of the command's own help.
	notes string
	// examples are command lines, without the program's name, and what they do.
	examples []example
	// words returns what the next operand may be, for completion; nil where
	// there are no operands, or any.
	words func(before []string) []string
	// prepare declares the flags and returns what runs the command once they
	// have been read.
	prepare func(*flag.FlagSet) action
}

type example struct{ line, effect string }

// action runs a command with its operands.
type action func(ctx context.Context, out output, operands []string) error

// commands returns every command, in the order of the help.
func commands() []command {
	return []command{
		runCommand(),
		statusCommand(),
		monitorCommand(),
		historyCommand(),
		setCommand(),
		doctorCommand(),
		recipeCommand(),
		installCommand(),
		uninstallCommand(),
		completionCommand(),
		versionCommand(),
	}
}

// defaultCommand is what a call without a command means.
const defaultCommand = "run"

// choose finds the command that the arguments name, and the rest of them.
func choose(args []string) (command, []string, error) {
	name := defaultCommand
	if len(args) > 0 && args[0] == "--version" {
		args = append([]string{versionCommand().name}, args[1:]...)
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return c, args, nil
		}
		names = append(names, c.name)
	}
	problem := fmt.Sprintf("unknown command %q: commands", name)
	if meant, found := near.Name(name, names); found {
		problem = fmt.Sprintf("unknown command %q, did you mean %s? Commands", name, meant)
	}
	return command{}, nil, usageError{fmt.Errorf("%s are %s, help; see nm-session-bridge help", problem, strings.Join(names, ", "))}
}

// call runs the command with its flags and operands. A call for help is
// [flag.ErrHelp].
func (c command) call(ctx context.Context, out output, args []string) error {
	flags, act := c.declare()
	operands, err := c.parse(flags, args)
	if err != nil {
		return err
	}
	return act(ctx, out, operands)
}

func (c command) declare() (*flag.FlagSet, action) {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags, c.prepare(flags)
}

// parse reads flags before, between and after the operands, up to a --. Its
// errors name what is accepted.
func (c command) parse(flags *flag.FlagSet, args []string) (operands []string, err error) {
	for {
		err := flags.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		if err != nil {
			return nil, usageError{errors.New(explain(flags, err.Error()))}
		}
		if rest := len(args) - flags.NArg(); flags.NArg() == 0 || rest > 0 && args[rest-1] == "--" {
			operands = append(operands, flags.Args()...)
			break
		}
		operands, args = append(operands, flags.Arg(0)), flags.Args()[1:]
	}
	if len(operands) > 0 && c.operands == "" {
		return nil, usageError{fmt.Errorf("unexpected argument %q: %s takes only flags", operands[0], c.name)}
	}
	return operands, nil
}

// explain puts package flag's words into the form in which the help has them.
func explain(flags *flag.FlagSet, problem string) string {
	const unknown, missing, notBoolean = "flag provided but not defined: -", "flag needs an argument: -", "invalid boolean value "
	name, isUnknown := strings.CutPrefix(problem, unknown)
	if isUnknown {
		var accepted []string
		flags.VisitAll(func(f *flag.Flag) { accepted = append(accepted, "--"+f.Name) })
		given := "--" + name
		if len(name) == 1 {
			given = "-" + name
		}
		if len(accepted) == 0 {
			return fmt.Sprintf("unknown flag %s: %s has no flags", given, flags.Name())
		}
		return fmt.Sprintf("unknown flag %s: flags of %s are %s", given, flags.Name(), strings.Join(accepted, ", "))
	}
	if name, isMissing := strings.CutPrefix(problem, missing); isMissing {
		return fmt.Sprintf("flag --%s needs a value, as in --%s=VALUE", name, name)
	}
	if rest, isNotBoolean := strings.CutPrefix(problem, notBoolean); isNotBoolean {
		at := strings.LastIndex(rest, " for -")
		name, _, _ := strings.Cut(rest[at+len(" for -"):], ":")
		return fmt.Sprintf("invalid value %s for flag --%s: it takes none, write --%[2]s", rest[:at], name)
	}
	return strings.Replace(problem, " flag -", " flag --", 1)
}
