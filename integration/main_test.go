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

func TestMain(m *testing.M) {
	os.Exit(inSandbox(m))
}

func inSandbox(m *testing.M) int {
	if sandbox.Outside() {
		// Inside there is no network to fetch modules from; this fills the caches.
		if err := build(os.DevNull); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	err := sandbox.Enter()
	if errors.Is(err, sandbox.ErrNotRoot) {
		fmt.Fprintln(os.Stderr, "LEFT OUT: every sandbox test, because they need root; run ./integration/test for all of them")
		return 0
	}
	if err == nil {
		err = build(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(to string) error {
	cmd := exec.Command("go", "build", "-o", to, "../cmd/nm-session-bridge")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the bridge: %w: %s", err, out)
	}
	return nil
}
