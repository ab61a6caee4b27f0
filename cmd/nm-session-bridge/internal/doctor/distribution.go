package doctor

import (
	"os"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// distribution says how packages are installed. The zero value stands for an unknown
// one.
type distribution struct {
	command string
	names   map[string]string // a Debian package's name → the name there
	check   string            // the package that turns the connectivity check on
	// isDebian reports whether packages have Debian's names.
	isDebian bool
}

// thisDistribution returns the distribution that os-release(5) names.
func thisDistribution() distribution {
	content, err := os.ReadFile("/etc/os-release")
	if err != nil {
		content, _ = os.ReadFile("/usr/lib/os-release") // without either file, the distribution is unknown
	}
	return distributionOf(string(content))
}

func distributionOf(release string) distribution {
	var ids []string
	for line := range strings.Lines(release) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "ID" || key == "ID_LIKE" {
			ids = append(ids, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	apt := distribution{command: "sudo apt install", isDebian: true}
	switch {
	case slices.Contains(ids, "ubuntu"):
		apt.check = "network-manager-config-connectivity-ubuntu"
		return apt
	case slices.Contains(ids, "debian"):
		apt.check = "network-manager-config-connectivity-debian"
		return apt
	case slices.Contains(ids, "fedora"):
		return distribution{"sudo dnf install", map[string]string{"network-manager": "NetworkManager", "polkitd": "polkit"}, "NetworkManager-config-connectivity-fedora", false}
	case slices.Contains(ids, "arch"):
		return distribution{"sudo pacman -S", map[string]string{"network-manager": "networkmanager", "polkitd": "polkit"}, "", false}
	}
	return distribution{command: "sudo apt install"}
}

// install returns the command that installs a package, given its name in Debian.
func (d distribution) install(name string) string {
	if other, differs := d.names[name]; differs {
		name = other
	}
	return d.command + " " + name
}

// program returns how to install a program if only Debian's package is known.
func (d distribution) program(p systemdctl.Program) Mend {
	if !d.isDebian {
		return byHand("install " + p.Name)
	}
	return run(d.install(p.Package))
}

// connectivity returns the command that turns on NetworkManager's connectivity check.
func (d distribution) connectivity() string {
	const reload = " && sudo systemctl reload " + networkManagerUnit
	if d.check != "" {
		return d.command + " " + d.check + reload
	}
	// NetworkManager.conf(5) gives GNOME's address as an example.
	return `printf '[connectivity]\nuri=http://nmcheck.gnome.org/check_network_status.txt\n' | ` +
		"sudo tee /etc/NetworkManager/conf.d/90-nm-session-bridge.conf >/dev/null" + reload
}
