package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

//go:embed dist/completion
var completionScripts embed.FS

// shells are those that there are completion scripts for.
func shells() []string { return []string{"bash", "fish", "zsh"} }

// wordsOperand has completion name candidates instead of printing a script.
const wordsOperand = "words"

func completionCommand() command {
	return command{
		name:     "completion",
		operands: strings.Join(shells(), "|"),
		summary:  "print a script that completes command lines in a shell",
		notes: "The scripts ask \"nm-session-bridge completion words -- WORD...\" for the candidates for\n" +
			"the last WORD of a command line, one on each line, a tab before its description.",
		examples: []example{
			{"completion bash > ~/.local/share/bash-completion/completions/nm-session-bridge", "have bash complete; install does it"},
			{"completion fish > ~/.local/share/fish/vendor_completions.d/nm-session-bridge.fish", "have fish complete; install does it"},
			{"completion zsh > ~/.zsh/_nm-session-bridge", "have zsh complete, with \"fpath+=(~/.zsh)\" before compinit in ~/.zshrc"},
		},
		words: func(before []string) []string {
			if len(before) > 0 {
				return nil
			}
			return shells()
		},
		prepare: func(*flag.FlagSet) action {
			return func(_ context.Context, out output, operands []string) error {
				return completion(out.stdout, operands)
			}
		},
	}
}

func completion(stdout io.Writer, operands []string) error {
	if len(operands) > 0 && operands[0] == wordsOperand {
		for _, c := range candidates(operands[1:]) {
			fmt.Fprintln(stdout, strings.TrimSuffix(c.word+"\t"+c.meaning, "\t"))
		}
		return nil
	}
	switch {
	case len(operands) != 1:
		return usageError{fmt.Errorf("completion takes one shell: %s", strings.Join(shells(), ", "))}
	case !slices.Contains(shells(), operands[0]):
		return usageError{fmt.Errorf("no completion is there for %q; shells are %s", operands[0], strings.Join(shells(), ", "))}
	}
	script, err := completionScript(operands[0])
	if err == nil {
		_, err = stdout.Write(script)
	}
	return err
}

func completionScript(shell string) ([]byte, error) {
	return completionScripts.ReadFile("dist/completion/nm-session-bridge." + shell)
}

// candidate is a word that may come next on a command line.
type candidate struct{ word, meaning string }

// candidates returns what the last of the words, those behind the program's
// name, may become. A candidate that ends with = or a comma goes on.
func candidates(words []string) []candidate {
	if len(words) == 0 {
		words = []string{""}
	}
	before, typed := words[:len(words)-1], words[len(words)-1]
	var all []candidate
	switch {
	case len(before) == 0 && !strings.HasPrefix(typed, "-"):
		all = append(commandNames(), candidate{"help", "show the help, or that of a command"})
	case len(before) == 1 && before[0] == "help":
		all = commandNames()
	default:
		c, rest, err := choose(before)
		if err != nil {
			return nil
		}
		all = c.candidates(rest, typed)
	}
	return slices.DeleteFunc(all, func(c candidate) bool { return !strings.HasPrefix(c.word, typed) })
}

func commandNames() []candidate {
	var names []candidate
	for _, c := range commands() {
		names = append(names, candidate{c.name, c.summary})
	}
	return names
}

// candidates returns what may follow the words behind the command's name, where
// typed is the beginning of it.
func (c command) candidates(before []string, typed string) []candidate {
	flags, _ := c.declare()
	var operands []string
	for i := 0; i < len(before); i++ {
		name, isFlag := strings.CutPrefix(before[i], "-")
		if !isFlag {
			operands = append(operands, before[i])
			continue
		}
		f := flags.Lookup(strings.TrimPrefix(name, "-"))
		if f == nil || !takesValue(f) { // or its value is behind its =
			continue
		}
		if i++; i == len(before) {
			return valuesOf(f, "", typed)
		}
	}
	if name, value, hasValue := strings.Cut(typed, "="); hasValue && strings.HasPrefix(name, "--") {
		if f := flags.Lookup(name[2:]); f != nil {
			return valuesOf(f, name+"=", value)
		}
		return nil
	}
	if c.words != nil && !strings.HasPrefix(typed, "-") {
		var all []candidate
		for _, word := range c.words(operands) {
			all = append(all, candidate{word: word})
		}
		return all
	}
	return flagNames(flags)
}

func flagNames(flags *flag.FlagSet) []candidate {
	var names []candidate
	flags.VisitAll(func(f *flag.Flag) {
		_, usage := flag.UnquoteUsage(f)
		name := "--" + f.Name
		if takesValue(f) {
			name += "="
		}
		names = append(names, candidate{name, usage})
	})
	return append(names, candidate{"--help", "show the help of " + flags.Name()})
}

// valuesOf returns the values of a flag that the typed one may become, each
// behind a prefix.
func valuesOf(f *flag.Flag, prefix, typed string) []candidate {
	value, ok := f.Value.(choice)
	if !ok {
		return nil
	}
	var all []candidate
	for _, word := range value.words(typed) {
		all = append(all, candidate{word: prefix + word})
	}
	return all
}

func takesValue(f *flag.Flag) bool {
	isBool, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !isBool.IsBoolFlag()
}

// choice is the value of a flag that accepts certain words.
type choice struct {
	set func(string) error
	// words returns what a value may become that begins as typed, and perhaps more.
	words func(typed string) []string
}

// String has no default to tell: the usage does.
func (choice) String() string { return "" }

// Set takes the value that was given.
func (c choice) Set(given string) error { return c.set(given) }
