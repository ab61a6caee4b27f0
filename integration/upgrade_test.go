package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// earlierStates are earlier states of this repository. Each is the last before a
// change, which git finds by the text that the change added. The first change added
// install.
var earlierStates = []struct{ name, brought, file string }{
	{"the first that can be installed", "ExecStart=", "systemdctl/units/nm-session-bridge.service"},
	{"before positions were quoted on disk", "strconv.Unquote", "cmd/nm-session-bridge/internal/overrides/overrides.go"},
	{"before the bridge watched its program", "RestartForceExitStatus", "systemdctl/units/nm-session-bridge.service"},
}

func TestUpgradeFromEarlierStates(t *testing.T) {
	for i, state := range earlierStates {
		t.Run(state.name, func(t *testing.T) {
			commit := git(t, "log", "--reverse", "--format=%H", "-S"+state.brought, "--", state.file)
			if commit = strings.SplitN(commit, "\n", 2)[0]; commit == "" {
				t.Fatalf("no commit brought %q into %s: get the whole history, as by git fetch --unshallow", state.brought, state.file)
			}
			if i > 0 {
				commit += "^"
			}
			old := buildCommit(t, commit)
			s := begin(t, sandbox.Options{})
			s.enable("sync.service", syncUnit)
			s.enable("on.service", onceUnit("internet-online.target"))
			s.enable("open.service", onceUnit("lid-open.target"))
			nothingInstalled := s.user("find . | sort")
			s.must(s.WriteFile("/dev/shm/earlier", old, 0o755))
			s.Log(s.user("/dev/shm/earlier install --now"))
			s.online()
			s.started("on.service", 1)
			s.started("open.service", 1)
			holds := strings.Contains(s.user("nm-session-bridge --help"), "set")
			if holds {
				s.user("nm-session-bridge set connection 'home elsewhere'")
				s.expect("active", "connection@elsewhere.target")
			}

			out := s.install()
			if !strings.Contains(out, "restarted "+bridgeUnit) {
				t.Errorf("install did not restart the bridge: %s", out)
			}
			s.secondBridge()
			if outdated := s.outdated(); outdated != "" {
				t.Errorf("the user manager should be reloaded, for %s", outdated)
			}
			if out := s.user(program + " install --now"); !strings.HasPrefix(out, "already installed, nothing changed\n") {
				t.Errorf("a second install said %s", out)
			}
			if holds {
				s.settle()
				s.started("connection@elsewhere.target", 1)
				s.started("connection@home.target", 1)
				s.expect("active", "connection@elsewhere.target", "connection@home.target")
			}
			s.undisturbed()
			s.started(bridgeUnit, 2)
			s.user(program + " uninstall")
			if left := s.user("find . | sort"); left != nothingInstalled {
				t.Errorf("left:\n%s\nbefore:\n%s", left, nothingInstalled)
			}
		})
	}
}

// buildCommit returns the program of an earlier commit.
func buildCommit(t *testing.T, commit string) []byte {
	t.Helper()
	dir := t.TempDir()
	git(t, "--work-tree="+dir, "restore", "--source="+commit, "--worktree", ":/")
	cmd := exec.Command("go", "build", "-o", "earlier", "./cmd/nm-session-bridge")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build %s: %v: %s", commit, err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "earlier"))
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// git runs git on this repository and returns what it printed.
func git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}
