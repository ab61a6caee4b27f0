package systemdctl

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// house is a directory to install into.
type house struct {
	*testing.T
	dir string
}

func (h house) path(name string) string { return filepath.Join(h.dir, name) }

func (h house) files(names ...string) []File {
	var files []File
	for _, name := range names {
		files = append(files, File{Path: h.path(name), Mode: 0o644, Content: []byte("installed " + name)})
	}
	return files
}

func (h house) open() *Installation {
	h.Helper()
	i, err := OpenInstallation(h.path("record"))
	if err != nil {
		h.Fatal(err)
	}
	return i
}

func (h house) write(name, content string) {
	h.Helper()
	if err := os.WriteFile(h.path(name), []byte(content), 0o600); err != nil {
		h.Fatal(err)
	}
}

func (h house) wants(name, content string) {
	h.Helper()
	got, err := os.ReadFile(h.path(name))
	if err != nil || string(got) != content {
		h.Errorf("%s: %q, %v, want %q", name, got, err, content)
	}
}

func (h house) wantsNothingBut(names ...string) {
	h.Helper()
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		h.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if !slices.Equal(got, names) {
		h.Errorf("there are %v, want %v", got, names)
	}
}

func TestInstallThenRemove(t *testing.T) {
	h := house{t, t.TempDir()}
	written, err := h.open().Write(h.files("a", "b"), false)
	if err != nil || len(written.Files) != 2 {
		t.Fatal(written, err)
	}
	if written, err = h.open().Write(h.files("a", "b"), false); err != nil || len(written.Files) != 0 {
		t.Error(written, err)
	}
	if removed, left, err := h.open().Remove(false); err != nil || len(removed) != 2 || len(left) != 0 {
		t.Error(removed, left, err)
	}
	h.wantsNothingBut()
}

func TestAnotherVersionRemovesFilesThatItLacks(t *testing.T) {
	h := house{t, t.TempDir()}
	if _, err := h.open().Write(h.files("a", "b", "c"), false); err != nil {
		t.Fatal(err)
	}
	h.write("c", "mine")
	written, err := h.open().Write(h.files("a"), false)
	if err != nil || !slices.Equal(written.Dropped, []string{h.path("b")}) {
		t.Error(written, err)
	}
	h.wantsNothingBut("a", "c", "record")
}

func TestAChangedFileStaysUntilForceRemovesIt(t *testing.T) {
	h := house{t, t.TempDir()}
	if _, err := h.open().Write(h.files("a", "b"), false); err != nil {
		t.Fatal(err)
	}
	h.write("b", "mine")
	if _, left, err := h.open().Remove(false); err != nil || !slices.Equal(left, []string{h.path("b")}) {
		t.Error(left, err)
	}
	h.wants("b", "mine")
	if removed, left, err := h.open().Remove(true); err != nil || len(left) != 0 || !slices.Equal(removed, []string{h.path("b")}) {
		t.Error(removed, left, err)
	}
	h.wantsNothingBut()
}

func TestAForeignFileStopsEverything(t *testing.T) {
	h := house{t, t.TempDir()}
	h.write("b", "mine")
	_, err := h.open().Write(h.files("a", "b"), false)
	var changed *ChangedError
	if !errors.As(err, &changed) || !slices.Equal(changed.Paths, []string{h.path("b")}) {
		t.Error(err)
	}
	h.wantsNothingBut("b")
}

func TestForceKeepsEveryFileThatItReplaces(t *testing.T) {
	h := house{t, t.TempDir()}
	for n, name := range []string{"a~", "a~2", "a~3"} {
		h.write("a", "mine "+name)
		written, err := h.open().Write(h.files("a"), true)
		if err != nil || written.Kept[h.path("a")] != h.path(name) {
			t.Errorf("%d: %+v, %v", n, written, err)
		}
	}
	h.wants("a", "installed a")
	for _, name := range []string{"a~", "a~2", "a~3"} {
		h.wants(name, "mine "+name)
	}
}

func TestFilesOfAnInterruptedInstallAreOurs(t *testing.T) {
	h := house{t, t.TempDir()}
	if _, err := h.open().Write([]File{{h.path("a"), 0o644, []byte("older")}}, false); err != nil {
		t.Fatal(err)
	}
	// It ended after the record and one file.
	i := h.open()
	for _, file := range h.files("a", "b") {
		i.sums[file.Path] = append(i.sums[file.Path], checksum(file.Content))
	}
	if err := i.save(); err != nil {
		t.Fatal(err)
	}
	h.write("a", "installed a")
	if removed, left, err := h.open().Remove(false); err != nil || len(left) != 0 || !slices.Contains(removed, h.path("a")) {
		t.Error(removed, left, err)
	}
	h.wantsNothingBut()
}

func TestNothingIsInstalledIfOneFileCannotBeWritten(t *testing.T) {
	h := house{t, t.TempDir()}
	if _, err := h.open().Write([]File{{h.path("a"), 0o644, []byte("older")}}, false); err != nil {
		t.Fatal(err)
	}
	// A dangling link keeps a directory from being made in its place.
	if err := os.Symlink(h.path("nowhere"), h.path("b")); err != nil {
		t.Fatal(err)
	}
	_, err := h.open().Write(append(h.files("a", "new/and/newer"), File{h.path("b/c"), 0o644, nil}), false)
	if want := "cannot write " + h.path("b/c") + ": file exists; nothing was installed"; err == nil || err.Error() != want {
		t.Errorf("it said %v, not %s", err, want)
	}
	h.wants("a", "older")
	h.wantsNothingBut("a", "b", "record")
}

// install writes no links, so a link is another tool's, such as that of a home
// directory that is kept elsewhere.
func TestALinkIsTheUsers(t *testing.T) {
	for name, content := range map[string]string{"nowhere": "", "to an older version": "older", "to what is to be installed": "installed a"} {
		t.Run(name, func(t *testing.T) {
			h := house{t, t.TempDir()}
			if _, err := h.open().Write([]File{{h.path("a"), 0o644, []byte("older")}}, false); err != nil {
				t.Fatal(err)
			}
			elsewhere := filepath.Join(t.TempDir(), "a")
			if content != "" {
				if err := os.WriteFile(elsewhere, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			link := func() {
				if err := errors.Join(os.Remove(h.path("a")), os.Symlink(elsewhere, h.path("a"))); err != nil {
					t.Fatal(err)
				}
			}
			isLink := func(path string) bool {
				leads, err := os.Readlink(path)
				return err == nil && leads == elsewhere
			}
			link()
			_, err := h.open().Write(h.files("a"), false)
			var changed *ChangedError
			if isAsWanted := content == "installed a"; errors.As(err, &changed) == isAsWanted || !isLink(h.path("a")) {
				t.Errorf("a link: %v, %t", err, isLink(h.path("a")))
			}
			if _, left, err := h.open().Remove(false); err != nil || !slices.Equal(left, []string{h.path("a")}) || !isLink(h.path("a")) {
				t.Errorf("left %v, %v, %t", left, err, isLink(h.path("a")))
			}
			if written, err := h.open().Write([]File{{h.path("a"), 0o644, []byte("newest")}}, true); err != nil || !isLink(written.Kept[h.path("a")]) {
				t.Errorf("with force: %+v, %v", written, err)
			}
			h.wants("a", "newest")
			link()
			if removed, left, err := h.open().Remove(true); err != nil || len(left) > 0 || len(removed) != 1 {
				t.Errorf("removed %v, left %v, %v", removed, left, err)
			}
			h.wantsNothingBut("a~")
		})
	}
}

// A plain read of a pipe would wait for ever.
func TestWhatIsNoFileIsTheUsers(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link to pipe": func(path string) error {
			return errors.Join(syscall.Mkfifo(path+".pipe", 0o600), os.Symlink(path+".pipe", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := house{t, t.TempDir()}
			if _, err := h.open().Write(h.files("a", "b"), false); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Remove(h.path("a")), put(h.path("a"))); err != nil {
				t.Fatal(err)
			}
			var changed *ChangedError
			if _, err := h.open().Write(h.files("a", "b"), false); !errors.As(err, &changed) || !slices.Equal(changed.Paths, []string{h.path("a")}) {
				t.Errorf("install says %v", err)
			}
			if _, left, err := h.open().Remove(false); err != nil || !slices.Equal(left, []string{h.path("a")}) {
				t.Errorf("uninstall leaves %q, %v", left, err)
			}
			if _, err := h.open().Write(h.files("a"), true); err != nil {
				t.Error(err)
			}
			h.wants("a", "installed a")
			if _, err := os.Lstat(h.path("a~")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestARecordThatIsNoFileIsNamed(t *testing.T) {
	record := filepath.Join(t.TempDir(), "record")
	if err := syscall.Mkfifo(record, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenInstallation(record); err == nil || err.Error() != record+": not a regular file: move it away, then repeat this" {
		t.Errorf("got %v", err)
	}
}

func TestABrokenRecordIsNamed(t *testing.T) {
	h := house{t, t.TempDir()}
	h.write("record", "nonsense\n")
	if _, err := OpenInstallation(h.path("record")); err == nil {
		t.Error("nonsense was accepted as a record")
	}
}
