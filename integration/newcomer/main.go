// Newcomer types the README's commands as a person would who has only a bare
// Debian and a clone of the repository. The script integration/bare makes the
// clone. Newcomer needs root.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	if len(os.Args) < 3 || len(os.Args) > 4 {
		fmt.Fprintln(os.Stderr, "usage: newcomer CLONE SUITE [COMMAND]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := try(ctx, os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "newcomer:", err)
		os.Exit(1)
	}
}

// try types the given lines, or those of the README if there are none.
func try(ctx context.Context, clone, suite string, lines []string) (err error) {
	var commands []command
	for _, line := range lines {
		commands = append(commands, command{line: line})
	}
	if len(lines) == 0 {
		readme, err := os.ReadFile(filepath.Join(clone, "README.md"))
		if err != nil {
			return err
		}
		commands = commandsToTry(string(readme))
	}
	m, err := openMachine(ctx, suite)
	if err != nil {
		return fmt.Errorf("cannot make a bare %s: %w", suite, err)
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := m.receive(clone); err != nil {
		return fmt.Errorf("cannot bring the clone into the bare %s: %w", suite, err)
	}
	before, err := m.services()
	if err != nil {
		return err
	}
	if err := m.run(ctx, session(filepath.Base(clone), commands)); err != nil {
		return fmt.Errorf("what was typed on the bare %s failed: %w", suite, err)
	}
	if err := m.checkServices(before); err != nil {
		return fmt.Errorf("what was typed on the bare %s changed which services start: %w", suite, err)
	}
	return nil
}
