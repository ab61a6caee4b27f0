// Sandbox brings up a sandbox for the bridge, runs a command in it as its user,
// and takes it down.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

// run returns the command's status: 1 if the sandbox failed, 2 for wrong usage.
func run(args []string, stderr io.Writer) int {
	suite, options, command, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	if err := sandbox.Enter(suite); err != nil {
		fmt.Fprintln(stderr, "sandbox:", err)
		return 1
	}
	status, err := play(options, command, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "sandbox:", err)
		return 1
	}
	return status
}

// parse reads the command line and reports what is wrong with it. No command means a shell.
func parse(args []string, stderr io.Writer) (suite string, options sandbox.Options, command []string, err error) {
	var check, login1 string
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: sandbox [flags] [-- command args…]   (default: a shell)")
		flags.PrintDefaults()
	}
	flags.StringVar(&suite, "suite", "", "the Debian `suite` whose daemons to use: "+strings.Join(sandbox.Suites(), ", ")+" (default: the machine's own)")
	flags.StringVar(&check, "check", string(sandbox.Full), "how the connectivity check is answered: "+modes())
	flags.StringVar(&login1, "login1", string(fakes.Logind257), "the logind to imitate: 262, 257, 252 or none")
	flags.BoolVar(&options.NoNetworkManager, "no-nm", false, "do not start NetworkManager")
	flags.BoolVar(&options.Unplugged, "unplugged", false, "start without the cable")
	flags.BoolVar(&options.NoDHCP, "no-dhcp", false, "start without a DHCP server")
	flags.BoolVar(&options.LidClosed, "lid-closed", false, "start with the lid closed")
	flags.StringVar(&options.LogDir, "logs", "", "a `directory` for what the daemons print")
	if err := flags.Parse(args); err != nil {
		return suite, options, nil, err
	}
	options.Check = sandbox.CheckMode(check)
	if !slices.Contains(sandbox.CheckModes(), options.Check) {
		return suite, options, nil, complain(stderr, fmt.Errorf("-check is %q, not one of: %s", check, modes()))
	}
	switch login1 {
	case "none":
		options.NoLogin1 = true
	case string(fakes.Logind262), string(fakes.Logind257), string(fakes.Logind252):
		options.Login1 = fakes.Generation(login1)
	default:
		return suite, options, nil, complain(stderr, fmt.Errorf("-login1 is %q, not one of: 262, 257, 252, none", login1))
	}
	options.UserManagesNetwork = true
	return suite, options, flags.Args(), nil
}

func complain(stderr io.Writer, err error) error {
	fmt.Fprintln(stderr, "sandbox:", err)
	return err
}

func modes() string {
	var names []string
	for _, mode := range sandbox.CheckModes() {
		names = append(names, string(mode))
	}
	return strings.Join(names, ", ")
}

// connects reports whether NetworkManager gets connected by itself.
func connects(options sandbox.Options) bool {
	return !options.NoNetworkManager && !options.Unplugged && !options.NoDHCP
}

// describe says, in one line, what the sandbox consists of.
func describe(options sandbox.Options) string {
	network := "NetworkManager on " + sandbox.Interface + ", check answers " + string(options.Check)
	if options.NoNetworkManager {
		network = "no NetworkManager"
	}
	logind := "a stand-in for logind " + string(options.Login1)
	if options.NoLogin1 {
		logind = "no logind"
	}
	return fmt.Sprintf("user %s (%d), system bus, %s, %s", sandbox.User, sandbox.UID, network, logind)
}

// hint says what to try in the shell of a sandbox. The program is its path as called.
func hint(options sandbox.Options, program string) string {
	other := program + " --help lists other starts"
	if !connects(options) {
		return other
	}
	return fmt.Sprintf("try: nmcli device disconnect %[1]s, then nmcli device connect %[1]s; %s", sandbox.Interface, other)
}

// play brings the sandbox up, runs the command and takes the sandbox down.
func play(options sandbox.Options, command []string, stderr io.Writer) (status int, err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	begin := time.Now()
	sb, err := sandbox.Up(ctx, options)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, sb.Down()) }()
	if connects(options) && options.Check == sandbox.Full {
		if err := sb.NM.WaitConnectivity(ctx, sandbox.ConnectivityFull); err != nil {
			return 0, err
		}
	}
	fmt.Fprintf(stderr, "up in %s: %s\n", time.Since(begin).Round(time.Millisecond), describe(options))
	if len(command) == 0 {
		fmt.Fprintln(stderr, hint(options, os.Args[0]))
		command = []string{"bash", "-l"}
	}

	// A login shell would add ~/.local/bin only if it existed before.
	if err := sb.WriteFile(".profile", []byte("PATH=~/.local/bin:$PATH\n"), 0o644); err != nil {
		return 0, err
	}
	cmd := sb.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	hangUp := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer hangUp()
	err = cmd.Wait()
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		return max(exited.ExitCode(), 1), nil
	}
	return 0, err
}
