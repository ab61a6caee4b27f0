package sandbox

import (
	"os/exec"
	"strings"
)

// Versions returns, for people, the versions of the daemons in a sandbox here.
func Versions() string {
	return "NetworkManager " + version("NetworkManager", "--version") + ", systemd --user " + version("systemctl", "--version")
}

// version returns the first number that a program prints about itself.
func version(program, flag string) string {
	out, err := exec.Command(program, flag).Output()
	if err != nil {
		return "of unknown version"
	}
	for _, word := range strings.Fields(string(out)) {
		if word[0] >= '0' && word[0] <= '9' {
			return word
		}
	}
	return "of unknown version"
}
