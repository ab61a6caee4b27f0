// Package self finds out how and where to call this program.
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

// Place says where to run the program if it has no session bus or no runtime
// directory. Both are of use to their own user only, so sudo does not help.
func Place() string {
	if os.Geteuid() == 0 {
		return "run this as your own user, without sudo"
	}
	return "run this in a login session or as a user service"
}
