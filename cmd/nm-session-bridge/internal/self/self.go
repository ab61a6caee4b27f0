// Package self finds out how to call this program.
package self

import (
	"os"
	"os/exec"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Command returns how to call this program from the user's shell, quoted for it: by its
// name if it is in $PATH, otherwise by its path.
func Command() string {
	const name = "nm-session-bridge"
	if _, err := exec.LookPath(name); err == nil {
		return name
	}
	if path, err := os.Executable(); err == nil {
		return systemdctl.Quote(path)
	}
	return name
}
