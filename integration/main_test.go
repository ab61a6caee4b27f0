// Package integration proves the bridge on real daemons: each test brings up a
// sandbox, installs the bridge in it as a user would, and looks at what the
// user manager made of it.
package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// program is the bridge that the tests install. It lies in a tmpfs that ends
// with the sandbox.
const program = "/dev/shm/nm-session-bridge"

// programVariable names a bridge that was built beforehand.
const programVariable = "NM_SESSION_BRIDGE_PROGRAM"

func TestMain(m *testing.M) {
	os.Exit(inSandbox(m))
}

func inSandbox(m *testing.M) int {
	if sandbox.Outside() && os.Geteuid() == 0 && os.Getenv(programVariable) == "" {
		// Inside there is no network to fetch modules from; this fills the caches.
		if err := build(os.DevNull); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	err := sandbox.Enter()
	if errors.Is(err, sandbox.ErrNotRoot) {
		sandbox.TellLeftOut("every test of what units do, in integration/")
		return 0
	}
	if err == nil {
		err = provideProgram()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func provideProgram() error {
	built := os.Getenv(programVariable)
	if built == "" {
		return build(program)
	}
	content, err := os.ReadFile(built)
	if err != nil {
		return err
	}
	return os.WriteFile(program, content, 0o755)
}

func build(to string) error {
	cmd := exec.Command("../cmd/nm-session-bridge/dist/build", to)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the bridge: %w: %s", err, out)
	}
	return nil
}
