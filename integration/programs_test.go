package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/needs"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// serverDir is the disk of the servers of a test.
const serverDir = "/run/sandbox/servers"

// beginWithPrograms brings up a sandbox with the bridge in it, for a test of a
// recipe with the programs that it is made for.
func beginWithPrograms(t *testing.T, options sandbox.Options) *scene {
	t.Helper()
	s := begin(t, options)
	s.must(needs.Check(needs.Programs()))
	s.must(os.Mkdir(serverDir, 0o755))
	s.must(os.Chown(serverDir, sandbox.UID, sandbox.UID))
	s.systemctl("import-environment", "PATH") // as a login does; doctor looks
	s.install()
	return s
}

// follows adds a recipe and types what the program says next. The doctor must be
// content.
func (s *scene) follows(recipe string, settings ...string) {
	s.Helper()
	add := program + " recipe add " + recipe
	for _, setting := range settings {
		add += " --set " + systemdctl.Quote(setting)
	}
	out := s.user(add)
	s.Log(out)
	_, next, found := strings.Cut(out, "next: ")
	if !found || strings.Contains(out, "missing") {
		s.Fatalf("the recipe %s cannot be followed: %s", recipe, out)
	}
	s.user(next)
	s.clean("")
}

// serve starts a server at the other end of the cable and waits until it says that it
// is ready.
func (s *scene) serve(ready, name string, args ...string) {
	s.Helper()
	s.must(s.Uplink.Serve(s.ctx, filepath.Base(name), ready, exec.Command(name, args...)))
}

// appears waits until there is a file.
func (s *scene) appears(path string) {
	s.Helper()
	s.until("there is "+path, func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
}
