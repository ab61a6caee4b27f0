// Package overrides remembers the positions in which a user holds switches until
// the user logs out.
package overrides

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Store is a file with a line for each switch that is held: its name and
// position.
type Store struct{ path string }

// In returns the store in a runtime directory, $XDG_RUNTIME_DIR, which is removed
// when the user logs out.
func In(runtimeDir string) Store {
	return Store{filepath.Join(runtimeDir, "nm-session-bridge", "overrides")}
}

// Load returns the positions that were saved last, by switch. It leaves out lines
// that make no sense.
func (s Store) Load() (map[string]string, error) {
	held := map[string]string{}
	content, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return held, nil
	}
	if err != nil {
		return held, fmt.Errorf("cannot read what is held by hand: %w", err)
	}
	for _, line := range strings.Split(string(content), "\n") {
		if name, position, ok := strings.Cut(line, " "); ok {
			held[name] = position
		}
	}
	return held, nil
}

// Save replaces what was saved.
func (s Store) Save(held map[string]string) error {
	var content strings.Builder
	for _, name := range slices.Sorted(maps.Keys(held)) {
		fmt.Fprintf(&content, "%s %s\n", name, held[name])
	}
	if err := s.write(content.String()); err != nil {
		return fmt.Errorf("cannot save what is held by hand: %w", err)
	}
	return nil
}

// Forget removes what was saved, and its directory.
func (s Store) Forget() error {
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot forget what is held by hand: %w", err)
	}
	_ = syscall.Rmdir(filepath.Dir(s.path)) // fails if it is not empty
	return nil
}

// write replaces the file atomically, so nobody ever reads half of it.
func (s Store) write(content string) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(s.path+".new", []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(s.path+".new", s.path)
}
