package systemdctl

import (
	"os"
	"path/filepath"
)

// Unmask returns the command that removes the mask of one of the user's units, given the
// mask's file and the directory of the user's own units. It returns "" if no command does:
// systemctl unmask removes only links to /dev/null, and only those in the directories where
// systemctl mask makes them (--runtime and --global, systemctl(1)).
func Unmask(mask, ownUnits string) string {
	dir := filepath.Dir(mask)
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved // Debian's /etc/xdg/systemd/user is a link
	}
	isRuntime, _ := filepath.Match("/run/user/*/systemd/user", dir) // fails only for a wrong pattern
	unit := Operands(filepath.Base(mask))
	switch to, _ := os.Readlink(mask); {
	case to != os.DevNull:
		return ""
	case filepath.Dir(mask) == ownUnits:
		return "systemctl --user unmask " + unit
	case isRuntime:
		return "systemctl --user unmask --runtime " + unit
	case dir == "/etc/systemd/user":
		return "sudo systemctl --global unmask " + unit + " && systemctl --user daemon-reload"
	case dir == "/run/systemd/user":
		return "sudo systemctl --global --runtime unmask " + unit + " && systemctl --user daemon-reload"
	}
	return ""
}
