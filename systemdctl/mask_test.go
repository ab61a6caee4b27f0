package systemdctl

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOnlySomeMasksAreRemovedByACommand(t *testing.T) {
	own, elsewhere := t.TempDir(), t.TempDir()
	linked := filepath.Join(t.TempDir(), "linked")
	if err := os.Symlink(own, linked); err != nil {
		t.Fatal(err)
	}
	for _, mask := range []struct{ dir, name, to, want string }{
		{own, "lock.target", os.DevNull, "systemctl --user unmask lock.target"},
		{own, "-x.service", os.DevNull, "systemctl --user unmask -- -x.service"},
		{own, "lock.target", "/dev/zero", ""},
		{elsewhere, "lock.target", os.DevNull, ""},
		{linked, "lock.target", os.DevNull, ""},
	} {
		path := filepath.Join(mask.dir, mask.name)
		if err := os.Symlink(mask.to, path); err != nil {
			t.Fatal(err)
		}
		if got := Unmask(path, own); got != mask.want {
			t.Errorf("%s -> %s: %q, not %q", path, mask.to, got, mask.want)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
