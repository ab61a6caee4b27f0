package installer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

func TestAProgramThatSystemdDoesNotFind(t *testing.T) {
	searched, own := t.TempDir(), t.TempDir()
	t.Setenv("PATH", own)
	program := systemdctl.Program{Name: "offlineimap", Package: "offlineimap3"}
	said := func() string {
		var out strings.Builder
		if isMissing := reportMissing(&out, "/nowhere:"+searched, program); isMissing == (out.Len() == 0) {
			t.Errorf("missing: %v, it said %q", isMissing, out.String())
		}
		return out.String()
	}
	put := func(dir string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, program.Name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	put(searched, 0o644) // not executable
	if got, want := said(), "missing offlineimap; install it first, on Debian: sudo apt install offlineimap3\n"; got != want {
		t.Errorf("with no such program: %q, want %q", got, want)
	}
	put(own, 0o755)
	if got, want := said(), "missing offlineimap where systemd looks; first write ExecStart="+own+"/offlineimap into the unit\n"; got != want {
		t.Errorf("with a program elsewhere in the user's PATH: %q, want %q", got, want)
	}
	if err := os.Chmod(filepath.Join(searched, program.Name), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := said(); got != "" {
		t.Errorf("with the program there: %q", got)
	}
}
