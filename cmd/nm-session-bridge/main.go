// Command nm-session-bridge keeps systemd user targets equal to what
// NetworkManager and logind say about the machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/self"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/terminal"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Exit statuses.
const (
	success    = 0
	failure    = 1
	wrongUsage = 2
	// notRunning is the status of commands that need a running bridge and find none.
	// systemctl status uses the same number.
	notRunning = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	args := os.Args[1:]
	if len(args) == 0 && terminal.IsForeground(os.Stdin) {
		args = []string{"help"} // a person looks for it; a service may rely on the default command
	}
	status := execute(ctx, args, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// newRoot returns the program with all its commands. It runs the bridge when no
// command is given.
func newRoot() *cobra.Command {
	run, version := newRun(), newVersion()
	root := &cobra.Command{
		Use:           "nm-session-bridge",
		Long:          introduction(),
		Example:       exampleUnit,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	asksVersion := root.Flags().Bool("version", false, "print the version")
	root.Flags().AddFlagSet(run.Flags())
	root.RunE = func(cmd *cobra.Command, args []string) error {
		// Cobra treats an empty word, and what follows --, as no command.
		if err := onlyFlags(run, args); err != nil {
			return usageError{err}
		}
		if *asksVersion {
			return version.RunE(cmd, args)
		}
		return run.RunE(cmd, args)
	}
	root.AddCommand(
		run,
		newStatus(),
		newMonitor(),
		newHistory(),
		newSet(),
		newWait(),
		newDoctor(),
		newRecipe(),
		newInstall(),
		newUninstall(),
		newCompletion(),
		version,
	)
	root.SetFlagErrorFunc(explainFlag)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	checkHelp(root)
	return root
}

// introduction returns what the program is for, with each switch's targets.
func introduction() string {
	var targets strings.Builder
	for _, one := range observers.Table() {
		names := append(observers.Switches{one}.Targets(), observers.Switches{one}.Patterns()...)
		fmt.Fprintf(&targets, "  %s\n", strings.ReplaceAll(strings.Join(names, ", "), "*", "NAME"))
	}
	return `Keeps systemd user targets equal to what NetworkManager and logind say:
` + targets.String() + `
Without a command, it runs the bridge; typed alone at a terminal, it prints this help.
Exit status: 0 success, 1 failure, 2 wrong usage, 3 from status and wait if
nm-session-bridge is not running.`
}

const exampleUnit = `  # a service that runs while you are online
  [Unit]
  After=internet-online.target
  PartOf=internet-online.target
  Requisite=internet-online.target
  [Service]
  ExecStart=/usr/bin/offlineimap
  [Install]
  WantedBy=internet-online.target`

// exitStatus ends the program with this status and no message, because the command
// has already printed everything.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// execute runs the command that the arguments name and returns the exit status.
func execute(ctx context.Context, args []string, stdout, stderr *os.File) int {
	if options, isRun := parseRun(args); isRun {
		return conclude(run(ctx, options, stderr), stderr)
	}
	printed := &printout{file: stdout}
	root := newRoot()
	root.SetOut(printed)
	root.SetErr(stderr)
	root.SetArgs(args)
	accepted := false
	root.PersistentPreRun = func(*cobra.Command, []string) { accepted = true }
	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case printed.err != nil:
		err = printed.err
	case err == nil, accepted && !errors.As(err, &usage):
	case errors.As(err, &usage) || cmd != root:
		return refuse(cmd, err, stderr)
	default:
		return refuse(cmd, unknownCommand(root, err), stderr)
	}
	return conclude(err, stderr)
}

// refuse prints what is wrong with the command line.
func refuse(cmd *cobra.Command, err error, stderr io.Writer) int {
	if cmd.Name() == "help" { // because the help of help names no commands
		cmd = cmd.Root()
	}
	name := cmd.Root().Name()
	help := strings.Replace(cmd.CommandPath(), name, name+" help", 1)
	complain(stderr, fmt.Sprintf("%v; see %s", err, help))
	return wrongUsage
}

// conclude prints why a command failed, unless the command has done so itself.
func conclude(err error, stderr io.Writer) int {
	var status exitStatus
	switch {
	case err == nil:
		return success
	case errors.As(err, &status):
		return int(status)
	}
	complain(stderr, advise(err).Error())
	return failure
}

// complain prints a message in one line, whatever the names in it contain.
func complain(stderr io.Writer, message string) {
	oneLine := strings.NewReplacer("\n", `\n`, "\r", `\r`)
	fmt.Fprintf(stderr, "nm-session-bridge: %s\n", oneLine.Replace(message))
}

// advise adds to an error what to do next, if necessary.
func advise(err error) error {
	if errors.Is(err, client.ErrNotRunning) {
		return fmt.Errorf("%w; %s doctor says why, and how to start it", err, self.Command())
	}
	return err
}
