package scenes

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A scene calls onOneLaptop first if its outcome does not depend on the versions of the
// services around it, or if the sandbox tests the like with those of each release. The
// laptops of other releases play it only when all scenes are wanted.
func onOneLaptop(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("played on the laptop of another release")
	}
}

// TestTheServicesOfThisRelease prints their versions, and checks that both
// buses are the implementation that the laptop of this release should have.
func TestTheServicesOfThisRelease(t *testing.T) {
	s := begin(t)
	release := s.root(`. /etc/os-release && echo "$VERSION_CODENAME"`)
	for _, program := range []string{
		"uname -sr", "systemctl --version | head -n 1", "NetworkManager --version | sed 's/^/NetworkManager /'",
		"upower --version | head -n 1",
	} {
		t.Logf("%s: %s", release, s.root(program))
	}
	bus := "dbus-broker-launch" // which runs dbus-broker
	if slices.Contains([]string{"bookworm", "trixie"}, release) {
		bus = "dbus-daemon"
	}
	const process = " call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus GetConnectionUnixProcessID s org.freedesktop.DBus"
	for name, answer := range map[string]string{"system": s.root("busctl" + process), "session": s.user("busctl --user" + process)} {
		program := s.root("readlink /proc/" + strings.TrimPrefix(answer, "u ") + "/exe")
		t.Logf("%s: the %s bus is %s", release, name, s.root(program+" --version | head -n 1"))
		if filepath.Base(program) != bus {
			t.Errorf("the %s bus is %s, not %s", name, program, bus)
		}
	}
}
