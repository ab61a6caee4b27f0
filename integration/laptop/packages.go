package laptop

import (
	"os"
	"os/exec"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// requirement is a package that is known by a program or a file of it.
type requirement struct {
	sandbox.Requirement
	program, file string
}

func requirements() []requirement {
	const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
	return []requirement{
		{Requirement: sandbox.Requirement{Apt: "qemu-system-x86", Dnf: "qemu-system-x86-core", Pacman: "qemu-system-x86"}, program: "qemu-system-x86_64"},
		{Requirement: sandbox.Requirement{Apt: "mmdebstrap", Dnf: "mmdebstrap", Pacman: "mmdebstrap"}, program: "mmdebstrap"},
		{Requirement: sandbox.Requirement{Apt: "debian-archive-keyring", Dnf: "debian-keyring", Pacman: "debian-archive-keyring"}, file: keyring},
		{Requirement: sandbox.Requirement{Apt: "dpkg", Dnf: "dpkg", Pacman: "dpkg"}, program: "dpkg-deb"},
		{Requirement: sandbox.Requirement{Apt: "e2fsprogs", Dnf: "e2fsprogs", Pacman: "e2fsprogs"}, program: "mkfs.ext4"},
		{Requirement: sandbox.Requirement{Apt: "kmod", Dnf: "kmod", Pacman: "kmod"}, program: "modprobe"},
		{Requirement: sandbox.Requirement{Apt: "xz-utils", Dnf: "xz", Pacman: "xz"}, program: "xz"},
		{Requirement: sandbox.Requirement{Apt: "util-linux", Dnf: "util-linux", Pacman: "util-linux"}, program: "unshare"},
	}
}

// Missing lists the packages of which something is not installed.
func Missing() []sandbox.Requirement {
	var missing []sandbox.Requirement
	for _, r := range requirements() {
		if !r.installed() {
			missing = append(missing, r.Requirement)
		}
	}
	return missing
}

func (r requirement) installed() bool {
	if r.program == "" {
		_, err := os.Stat(r.file)
		return err == nil
	}
	for _, directory := range []string{"", "/usr/sbin/", "/sbin/"} { // those are not in an ordinary user's PATH
		if _, err := exec.LookPath(directory + r.program); err == nil {
			return true
		}
	}
	return false
}
