package doctor

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAMaskIsTakenAwayWhereItIs(t *testing.T) {
	home := t.TempDir()
	for dir, want := range map[string]Mend{
		".config/systemd/user":      run("systemctl --user unmask lid-open.target"),
		".local/share/systemd/user": byHand("remove " + home + "/.local/share/systemd/user/lid-open.target, a link to /dev/null; then systemctl --user daemon-reload"),
	} {
		mask := filepath.Join(home, dir, "lid-open.target")
		if err := os.MkdirAll(filepath.Dir(mask), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(os.DevNull, mask); err != nil {
			t.Fatal(err)
		}
		sys := healthy(t)
		sys.user.manager = bag("UnitPath", []string{home + "/.config/systemd/user", home + "/.local/share/systemd/user"})
		sys.user.files = []unitFile{{mask, "masked"}}
		sys.put("lid-open.target", "LoadState", "masked")
		if found := sys.examine().Findings; len(found) != 1 || found[0].Mend != want {
			t.Errorf("of a mask in %s it says %q", dir, found)
		}
	}
}
