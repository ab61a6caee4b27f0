package systemdctl

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWriteNewNeverReplaces(t *testing.T) {
	dir := t.TempDir()
	one := File{filepath.Join(dir, "units/one"), 0o644, []byte("one")}
	two := File{filepath.Join(dir, "units/two"), 0o644, []byte("two")}
	if written, err := WriteNew([]File{one}); err != nil || !slices.Equal(written, []string{one.Path}) {
		t.Fatalf("wrote %v: %v", written, err)
	}
	other := one
	other.Content = []byte("another")
	written, err := WriteNew([]File{two, other})
	var taken *TakenError
	if !errors.As(err, &taken) || !slices.Equal(taken.Paths, []string{one.Path}) || len(written) > 0 {
		t.Errorf("wrote %v: %v", written, err)
	}
	if _, err := os.Lstat(two.Path); err == nil {
		t.Errorf("%s was written all the same", two.Path)
	}
	if written, err := WriteNew([]File{one, two}); err != nil || !slices.Equal(written, []string{two.Path}) {
		t.Errorf("beside a file that is as wanted: wrote %v: %v", written, err)
	}
	for path, want := range map[string]string{one.Path: "one", two.Path: "two"} {
		if content, err := os.ReadFile(path); err != nil || string(content) != want {
			t.Errorf("%s holds %q: %v", path, content, err)
		}
	}
}

func TestWriteNewWritesAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	// A dangling link keeps a directory from being made in its place.
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	one, two := File{filepath.Join(dir, "units/one"), 0o644, nil}, File{filepath.Join(dir, "link/two"), 0o644, nil}
	written, err := WriteNew([]File{one, two})
	if want := "cannot write " + two.Path + ": file exists; nothing was written"; len(written) > 0 || err == nil || err.Error() != want {
		t.Errorf("wrote %v: %v, not %s", written, err, want)
	}
	if _, err := os.Lstat(filepath.Dir(one.Path)); err == nil {
		t.Error("a directory was left")
	}
}

func TestWriteNewLeavesLinksAlone(t *testing.T) {
	dir := t.TempDir()
	for name, leadsTo := range map[string]string{"masked": "/dev/null", "dangling": filepath.Join(dir, "nowhere")} {
		link := filepath.Join(dir, name)
		if err := os.Symlink(leadsTo, link); err != nil {
			t.Fatal(err)
		}
		if written, err := WriteNew([]File{{link, 0o644, []byte("unit")}}); err == nil {
			t.Errorf("%s: wrote %v", name, written)
		}
		if now, err := os.Readlink(link); err != nil || now != leadsTo {
			t.Errorf("the link %s was replaced: %v", name, err)
		}
	}
}
