// Package overrides remembers the positions in which a user holds switches until
// the user logs out.
package overrides

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
)

// Store is a file with a line for each switch that is held: its name, and its
// position as a quoted Go string. The file is in a directory that the user owns.
// Store refuses another user's directory, and a link in place of the directory or
// the file: they would let others hold switches, or make us write to other files.
type Store struct {
	path string
	uid  int // the owner of the directory
}

// In returns the store in a runtime directory, $XDG_RUNTIME_DIR, which is removed
// when the user logs out. A relative path, or none, is an error: it would lead to
// the directory where the program was started, where others may be able to write.
// The directory of another user, as su leaves it to root, is also an error.
func In(runtimeDir string) (Store, error) {
	if !filepath.IsAbs(runtimeDir) {
		return Store{}, fmt.Errorf("XDG_RUNTIME_DIR is %q, not an absolute path; %s", runtimeDir, bus.Place())
	}
	info, err := os.Stat(runtimeDir)
	switch {
	case err != nil:
		return Store{}, fmt.Errorf("cannot use XDG_RUNTIME_DIR: %w; %s", err, bus.Place())
	case !isOf(info, os.Geteuid()):
		return Store{}, fmt.Errorf("XDG_RUNTIME_DIR is %q, which belongs to another user; %s", runtimeDir, bus.Place())
	}
	return Store{filepath.Join(runtimeDir, "nm-session-bridge", "overrides"), os.Geteuid()}, nil
}

// Load returns the positions that were saved last, by switch. It leaves out lines
// that make no sense.
func (s Store) Load() (map[string]string, error) {
	held := map[string]string{}
	content, err := s.read()
	if errors.Is(err, fs.ErrNotExist) {
		return held, nil
	}
	if err != nil {
		return held, fmt.Errorf("cannot read what is held by hand: %w", err)
	}
	for _, line := range strings.Split(string(content), "\n") {
		name, position, ok := strings.Cut(line, " ")
		if strings.HasPrefix(position, `"`) { // older bridges wrote none
			var err error
			position, err = strconv.Unquote(position)
			ok = err == nil
		}
		if ok {
			held[name] = position
		}
	}
	return held, nil
}

// Save replaces what was saved.
func (s Store) Save(held map[string]string) error {
	var content strings.Builder
	for _, name := range slices.Sorted(maps.Keys(held)) {
		fmt.Fprintf(&content, "%s %q\n", name, held[name])
	}
	if err := s.write(content.String()); err != nil {
		return fmt.Errorf("cannot save what is held by hand: %w", err)
	}
	return nil
}

// Forget removes what was saved, and its directory.
func (s Store) Forget() error {
	err := s.checkDirectory()
	if err == nil {
		err = os.Remove(s.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot forget what is held by hand: %w", err)
	}
	_ = syscall.Rmdir(filepath.Dir(s.path)) // fails if it is not empty
	return nil
}

func (s Store) read() ([]byte, error) {
	if err := s.checkDirectory(); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(s.path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// write replaces the file atomically, so nobody ever reads half of it.
func (s Store) write(content string) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	if err := s.checkDirectory(); err != nil {
		return err
	}
	next := s.path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a process that was killed
		return err
	}
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // follows no link
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(next, s.path)
}

// checkDirectory returns an error if the directory is another user's, or a link.
func (s Store) checkDirectory() error {
	dir := filepath.Dir(s.path)
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case !isOf(info, s.uid):
		return fmt.Errorf("%s belongs to another user", dir)
	}
	return nil
}

// isOf reports whether a file belongs to a user.
func isOf(info fs.FileInfo, uid int) bool {
	stat, isKnown := info.Sys().(*syscall.Stat_t)
	return isKnown && int(stat.Uid) == uid
}
