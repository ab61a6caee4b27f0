package main

import (
	"regexp"
	"slices"
	"strings"
)

// command is a line that a README says to type, together with the lines to type into
// the shell that it opens.
type command struct {
	line  string
	typed []string
}

// otherShell is the prompt of a shell that a command has opened.
var otherShell = regexp.MustCompile(`^\w+@\w+:~\$ (.*)$`)

// console returns the commands in the console blocks of a section.
func console(readme, section string) []command {
	var commands []command
	var inSection, inBlock bool
	for line := range strings.Lines(readme) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "## "):
			inSection = line == "## "+section
		case strings.HasPrefix(line, "```"):
			inBlock = line == "```console"
		case !inSection || !inBlock:
		case strings.HasPrefix(line, "$ "):
			commands = append(commands, command{line: line[len("$ "):]})
		default:
			if typed := otherShell.FindStringSubmatch(line); typed != nil && len(commands) > 0 {
				last := &commands[len(commands)-1]
				last.typed = append(last.typed, typed[1])
			}
		}
	}
	return commands
}

// commandsToTry returns what a newcomer tries out in an afternoon. The whole test, and
// a bare machine in the bare machine, take longer.
func commandsToTry(readme string) []command {
	commands := slices.Concat(console(readme, "In a sandbox"), console(readme, "Tests"))
	return slices.DeleteFunc(commands, func(c command) bool {
		return strings.HasPrefix(c.line, "./integration/test") || strings.HasPrefix(c.line, "./integration/bare")
	})
}
