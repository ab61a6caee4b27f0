// Packages installs what the demo, the tests and the benchmark need and the machine lacks. On
// Debian and its derivatives it names the packages and installs them. Elsewhere it prints the
// command to run and exits with status 2.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

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

// install installs packages with apt-get, through sudo if necessary.
func install(missing []needs.Package) error {
	command := needs.InstallCommand("apt-get", missing)
	fmt.Println("installing what is missing:", command)
	for _, line := range []string{"apt-get -q update", command + " -q -y --no-install-recommends"} {
		words := append([]string{"env", "DEBIAN_FRONTEND=noninteractive"}, strings.Fields(line)...)
		if os.Geteuid() != 0 {
			words = append([]string{"sudo"}, words...) // which does not pass the environment on
		}
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(words, " "), err)
		}
	}
	return nil
}
