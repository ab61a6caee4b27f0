package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// width of the column of names in the help.
const nameColumn = 12

const introduction = `Usage: nm-session-bridge [COMMAND] [FLAGS]

Keeps systemd user targets equal to what NetworkManager and logind say:
  internet-online.target, internet-offline.target, internet-portal.target
  lid-open.target, lid-closed.target
  sleep.target, before the machine sleeps
  lock.target, unlock.target, power-ac.target, power-battery.target
  network-metered.target, network-unmetered.target
  vpn-up.target, vpn-down.target, connection@NAME.target

Commands:
`

const conclusion = `
"nm-session-bridge COMMAND --help" tells more, with examples.

A service that runs while the internet is there:
  [Unit]
  After=internet-online.target
  PartOf=internet-online.target
  Requisite=internet-online.target
  [Service]
  ExecStart=/usr/bin/offlineimap
  [Install]
  WantedBy=internet-online.target

Exit status: 0 success, 1 failure, 2 wrong usage.
`

// overview writes the help of the whole program.
func overview(w io.Writer) {
	_, _ = io.WriteString(w, introduction)
	for _, c := range commands() {
		summary := c.summary
		if c.name == defaultCommand {
			summary += " (the default)"
		}
		fmt.Fprintf(w, "  %-*s %s\n", nameColumn, c.name, summary)
	}
	fmt.Fprintf(w, "  %-*s %s\n", nameColumn, "help", "show this text, or that of a command")
	_, _ = io.WriteString(w, conclusion)
}

// help writes the command's own help.
func (c command) help(w io.Writer) {
	flags, _ := c.declare()
	fmt.Fprintf(w, "Usage: nm-session-bridge %s\n\n%s.\n", c.synopsis(), sentence(c.summary))
	if c.notes != "" {
		fmt.Fprintf(w, "\n%s\n", c.notes)
	}
	first := true
	flags.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprint(w, "\nFlags:\n")
			first = false
		}
		value, usage := flag.UnquoteUsage(f)
		name := "--" + f.Name
		if value != "" {
			name += "=" + value
		}
		fmt.Fprintf(w, "  %s\n        %s\n", name, usage)
	})
	for i, e := range c.examples {
		if i == 0 {
			fmt.Fprint(w, "\nExamples:\n")
		}
		fmt.Fprintf(w, "  nm-session-bridge %s\n        %s\n", e.line, e.effect)
	}
}

// synopsis is how the command is called.
func (c command) synopsis() string {
	words := []string{c.name}
	flags, _ := c.declare()
	flags.VisitAll(func(f *flag.Flag) {
		name := "--" + f.Name
		if value, _ := flag.UnquoteUsage(f); value != "" {
			name += "=" + value
		}
		words = append(words, "["+name+"]")
	})
	if c.operands != "" {
		words = append(words, c.operands)
	}
	return strings.Join(words, " ")
}

func sentence(s string) string {
	return strings.ToUpper(s[:1]) + s[1:]
}
