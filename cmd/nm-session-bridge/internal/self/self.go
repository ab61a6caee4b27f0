// Package self finds out how to call this program.
package self

import (
	"os"
	"os/exec"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

const name = "nm-session-bridge"

// Command returns how to call this program from the user's shell, quoted for it: by its
// name if it is in $PATH, otherwise by its path.
func Command() string {
	if _, err := exec.LookPath(name); err == nil {
		return name
	}
	return systemdctl.Quote(Path())
}

// Path returns the path of this program's file, or its name if that is not known.
func Path() string {
	if path, err := os.Executable(); err == nil {
		return path
	}
	return name
}
