// Packages installs what the demo, the tests and the benchmark need and the machine lacks. On
// Debian and its derivatives it names the packages and installs them, and none of their services
// starts. Elsewhere it prints the command to run and exits with status 2. Run it in the repository's
// root.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"

	"github.com/nm-session-bridge/nm-session-bridge/integration/needs"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	wanted := map[string][]needs.Package{
		"demo":  append(needs.Sandbox(), needs.Demo()...),
		"test":  slices.Concat(needs.Sandbox(), needs.Inside(), needs.Programs(), needs.Checks(), needs.Laptop()),
		"bench": append(needs.Sandbox(), needs.Bench()...),
		"bare":  needs.Bare(),
	}
	if len(args) != 1 || wanted[args[0]] == nil {
		fmt.Fprintln(os.Stderr, "usage: packages demo|test|bench|bare")
		return 2
	}
	missing := needs.Missing(wanted[args[0]])
	if len(missing) == 0 {
		return 0
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		manager := "dnf"
		if _, err := exec.LookPath("pacman"); err == nil {
			manager = "pacman"
		}
		fmt.Fprintln(os.Stderr, "packages are missing; install them as root with:", needs.InstallCommand(manager, missing))
		return 2
	}
	if err := install(missing); err != nil {
		fmt.Fprintln(os.Stderr, "packages:", err)
		return 1
	}
	return 0
}

// install installs packages with apt-get, through sudo if necessary, and leaves their services off.
func install(missing []needs.Package) error {
	fmt.Println("installing what is missing:", needs.InstallCommand("apt-get", missing))
	words := append([]string{"sh", "integration/packages/install.sh"}, needs.Names("apt-get", missing)...)
	if os.Geteuid() != 0 {
		words = append([]string{"sudo"}, words...)
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stderr, os.Stderr
	// An interrupt of the terminal reaches the script, too, which cleans up before it ends.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot install the packages: %w", err)
	}
	return nil
}
