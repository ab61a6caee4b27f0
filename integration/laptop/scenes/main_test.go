// Package scenes runs as root in the laptop of integration/laptop. It tests a
// bridge that was installed as a user would install it, on a whole and real
// system.
//
// The laptop starts with its lid closed, which is the first scene.
package scenes

import (
	"fmt"
	"os"
	"testing"
)

// bridgeProgram is the bridge's program before a user installs it.
const bridgeProgram = "/usr/local/lib/laptop/nm-session-bridge"

func TestMain(m *testing.M) {
	if _, err := os.Stat(bridgeProgram); err != nil {
		fmt.Fprintln(os.Stderr, "LEFT OUT here: the scenes of a laptop; go test ./integration/laptop plays them in one")
		return
	}
	os.Exit(m.Run())
}
