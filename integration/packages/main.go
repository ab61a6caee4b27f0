// Packages installs what the demo, the tests and the benchmark need and the machine lacks. On
// Debian and its kin it names the packages and installs them; elsewhere it
// prints the command that does and exits 2.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/integration/laptop"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	if len(args) != 1 || !slices.Contains([]string{"demo", "test", "bench", "bare"}, args[0]) {
		fmt.Fprintln(os.Stderr, "usage: packages demo|test|bench|bare")
		return 2
	}
	missing := missingOf(more(args[0]))
	if args[0] != "bare" { // the bare machine gets its own
		missing = append(sandbox.Missing(), missing...)
	}
	_, err := exec.LookPath("apt-get")
	isDebian := err == nil
	needsBroker := args[0] == "test" && !sandbox.BrokerInstalled()
	if args[0] == "test" {
		missing = append(missing, laptop.Missing()...)
	}
	if needsBroker && !isDebian {
		missing = append(missing, sandbox.Requirement{Apt: "dbus-broker", Dnf: "dbus-broker", Pacman: "dbus-broker"})
	}
	if len(missing) > 0 && !isDebian {
		manager := "dnf"
		if _, err := exec.LookPath("pacman"); err == nil {
			manager = "pacman"
		}
		fmt.Fprintln(os.Stderr, "packages are missing; install them as root with:", sandbox.InstallCommand(manager, missing))
		return 2
	}
	if err := provide(missing, needsBroker); err != nil {
		fmt.Fprintln(os.Stderr, "packages:", err)
		return 1
	}
	return 0
}

func provide(missing []sandbox.Requirement, broker bool) error {
	if len(missing) > 0 {
		if err := install(missing); err != nil {
			return err
		}
	}
	if broker {
		return unpackBroker()
	}
	return nil
}

// tool is a package that is known by a program of it, or by the path of a file:
// patterns with blanks between them, of which one matches.
type tool struct {
	sandbox.Requirement
	program string
}

// more lists what is needed besides the sandbox's own packages.
func more(purpose string) []tool {
	tools := []tool{{sandbox.Requirement{Apt: "python3", Dnf: "python3", Pacman: "python"}, "python3"}}
	// The race detector needs cgo.
	compiler := tool{sandbox.Requirement{Apt: "gcc libc6-dev", Dnf: "gcc glibc-devel", Pacman: "gcc"}, "gcc"}
	switch purpose {
	case "bare":
		return []tool{
			{sandbox.Requirement{Apt: "mmdebstrap", Dnf: "mmdebstrap", Pacman: "mmdebstrap"}, "mmdebstrap"},
			{sandbox.Requirement{Apt: "debian-archive-keyring", Dnf: "debian-keyring", Pacman: "debian-archive-keyring"}, "/usr/share/keyrings/debian-archive-keyring.gpg"},
			{sandbox.Requirement{Apt: "git", Dnf: "git", Pacman: "git"}, "git"},
			{sandbox.Requirement{Apt: "util-linux", Dnf: "util-linux", Pacman: "util-linux"}, "unshare"},
		}
	case "test":
		tools = append(tools, compiler,
			tool{sandbox.Requirement{Apt: "mandoc", Dnf: "mandoc", Pacman: "mandoc"}, "mandoc"},
			// The shells that completion is for, and a terminal for them.
			tool{sandbox.Requirement{Apt: "bash-completion", Dnf: "bash-completion", Pacman: "bash-completion"}, "/usr/share/bash-completion/bash_completion"},
			tool{sandbox.Requirement{Apt: "fish", Dnf: "fish", Pacman: "fish"}, "fish"},
			tool{sandbox.Requirement{Apt: "zsh", Dnf: "zsh", Pacman: "zsh"}, "zsh"},
			tool{sandbox.Requirement{Apt: "bsdutils", Dnf: "util-linux-script", Pacman: "util-linux"}, "script"},
			// A UPower, and a machine with a battery for it.
			tool{sandbox.Requirement{Apt: "upower", Dnf: "upower", Pacman: "upower"}, "upower"},
			tool{sandbox.Requirement{Apt: "umockdev", Dnf: "umockdev", Pacman: "umockdev"}, "umockdev-wrapper"},
			tool{sandbox.Requirement{Apt: "gir1.2-umockdev-1.0", Dnf: "umockdev", Pacman: "umockdev"}, "/usr/lib/*/girepository-1.0/UMockdev-1.0.typelib /usr/lib*/girepository-1.0/UMockdev-1.0.typelib"},
			tool{sandbox.Requirement{Apt: "python3-gi", Dnf: "python3-gobject-base", Pacman: "python-gobject"}, "/usr/lib*/python3*/*-packages/gi"},
			// What judges the packages.
			tool{sandbox.Requirement{Apt: "lintian", Dnf: "lintian", Pacman: "lintian"}, "lintian"},
			tool{sandbox.Requirement{Apt: "makepkg", Dnf: "pacman", Pacman: "pacman"}, "makepkg"},
			tool{sandbox.Requirement{Apt: "rpm", Dnf: "rpm-build", Pacman: "rpm-tools"}, "rpmspec"})
	case "bench":
		// What others would do the bridge's work with.
		const pythonPackages = "/usr/lib*/python3*/*-packages/"
		tools = append(tools, compiler,
			tool{sandbox.Requirement{Apt: "libsystemd-dev", Dnf: "systemd-devel", Pacman: "systemd-libs"}, "/usr/include/systemd/sd-bus.h"},
			tool{sandbox.Requirement{Apt: "dbus-bin", Dnf: "dbus-tools", Pacman: "dbus"}, "dbus-monitor"},
			tool{sandbox.Requirement{Apt: "python3-dbus", Dnf: "python3-dbus", Pacman: "python-dbus"}, pythonPackages + "dbus"},
			tool{sandbox.Requirement{Apt: "python3-gi", Dnf: "python3-gobject-base", Pacman: "python-gobject"}, pythonPackages + "gi"})
	}
	return tools
}

func missingOf(tools []tool) []sandbox.Requirement {
	var missing []sandbox.Requirement
	for _, t := range tools {
		if !t.installed() {
			missing = append(missing, t.Requirement)
		}
	}
	return missing
}

func (t tool) installed() bool {
	if !filepath.IsAbs(t.program) {
		_, err := exec.LookPath(t.program)
		return err == nil
	}
	for _, pattern := range strings.Fields(t.program) {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// install installs packages with apt-get, through sudo where that is needed.
func install(missing []sandbox.Requirement) error {
	command := sandbox.InstallCommand("apt-get", missing)
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
