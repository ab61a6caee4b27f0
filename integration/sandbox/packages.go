package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Requirement is a package by its names in the three families of distributions.
type Requirement struct {
	Apt, Dnf, Pacman string
}

// requirement names a package and what of it the sandbox uses: programs looked up in PATH, or files.
type requirement struct {
	Requirement
	programs []string
	files    [][]string // alternatives
}

func requirements() []requirement {
	return []requirement{
		{
			Requirement: Requirement{"dbus-daemon", "dbus-daemon", "dbus"},
			programs:    []string{"dbus-daemon"},
		},
		{
			Requirement: Requirement{"dbus-system-bus-common", "dbus-common", "dbus"},
			files:       [][]string{{"/usr/share/dbus-1/system.conf"}},
		},
		{
			Requirement: Requirement{"dbus-user-session", "dbus-common", "dbus"},
			files:       [][]string{{"/usr/lib/systemd/user/dbus.socket"}},
		},
		{
			Requirement: Requirement{"systemd", "systemd", "systemd"},
			programs:    []string{"systemctl", "journalctl"},
			files: [][]string{
				{"/usr/lib/systemd/systemd", "/lib/systemd/systemd"},
				{"/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald"},
				{"/usr/share/dbus-1/system.d/org.freedesktop.login1.conf"},
			},
		},
		{
			Requirement: Requirement{"network-manager", "NetworkManager", "networkmanager"},
			programs:    []string{"NetworkManager", "nmcli"},
		},
		{
			Requirement: Requirement{"dnsmasq-base", "dnsmasq", "dnsmasq"},
			programs:    []string{"dnsmasq"},
		},
		{
			Requirement: Requirement{"iproute2", "iproute", "iproute2"},
			programs:    []string{"ip"},
		},
	}
}

// Requirements lists the packages that the sandbox uses.
func Requirements() []Requirement {
	var all []Requirement
	for _, r := range requirements() {
		all = append(all, r.Requirement)
	}
	return all
}

// Missing lists the packages of which something is not installed. It needs no root.
func Missing() []Requirement {
	var missing []Requirement
	for _, r := range requirements() {
		if !r.installed() {
			missing = append(missing, r.Requirement)
		}
	}
	return missing
}

func (r requirement) installed() bool {
	for _, program := range r.programs {
		if !onPath(program) {
			return false
		}
	}
	for _, alternatives := range r.files {
		if !slices.ContainsFunc(alternatives, exists) {
			return false
		}
	}
	return true
}

// onPath also looks where an ordinary user's PATH does not lead.
func onPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil || exists("/usr/sbin/"+program) || exists("/sbin/"+program)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// MissingError says which packages have to be installed.
type MissingError struct{ Packages []Requirement }

// Error names the packages and the command that installs them, in Debian's terms.
func (e *MissingError) Error() string {
	return fmt.Sprintf("packages are missing, install them with: %s", InstallCommand("apt-get", e.Packages))
}

// InstallCommand returns the command that installs packages with apt-get, dnf or pacman, for people to read
// and for a shell to run as root.
func InstallCommand(manager string, packages []Requirement) string {
	var names []string
	for _, p := range packages {
		name := p.Apt
		switch manager {
		case "dnf":
			name = p.Dnf
		case "pacman":
			name = p.Pacman
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	verb := " install "
	if manager == "pacman" {
		verb = " -S --needed "
	}
	return manager + verb + strings.Join(names, " ")
}
