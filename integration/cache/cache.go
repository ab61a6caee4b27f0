// Package cache keeps directories that take long to make, such as those with Debian's packages,
// until the recipe that makes them changes.
package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Entry is a directory to keep.
type Entry struct {
	// Parent is the directory that holds it together with its older and newer versions.
	Parent string
	// Name distinguishes it from other entries of the same parent.
	Name string
	// Recipe is everything that decides on its content.
	Recipe []byte
	// Make makes the directory, whose parent exists.
	Make func(ctx context.Context, dir string) error
}

// Dir returns a directory of this user's cache.
func Dir(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "nm-session-bridge", name), nil
}

// Open returns the directory. If it does not exist yet, Open makes it and removes older versions
// that nobody uses. The directory appears only when it is complete, and nobody removes it before
// release is called.
func (e Entry) Open(ctx context.Context) (dir string, release func(), err error) {
	if err := os.MkdirAll(e.Parent, 0o755); err != nil {
		return "", nil, err
	}
	making, err := Lock(ctx, filepath.Join(e.Parent, e.Name+".lock"))
	if err != nil {
		return "", nil, err
	}
	defer making.Close()
	hash := sha256.Sum256(e.Recipe)
	dir = filepath.Join(e.Parent, fmt.Sprintf("%s-%x", e.Name, hash[:8]))
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		err = e.replace(ctx, dir)
		if err != nil {
			return "", nil, err
		}
	} else if err != nil {
		return "", nil, err
	}
	using, err := use(dir, unix.LOCK_SH)
	if err != nil {
		return "", nil, err
	}
	return dir, func() { using.Close() }, nil
}

// Lock locks a file, which it creates if necessary, until the file is closed. While another
// process has locked it, Lock says so and waits, until the context ends.
func Lock(ctx context.Context, path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for said := false; ; said = true {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", path, err), file.Close())
		}
		if !said {
			fmt.Fprintf(os.Stderr, "waiting for another run, which has locked %s\n", path)
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", path, ctx.Err()), file.Close())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// replace puts a new directory in place of the older ones.
func (e Entry) replace(ctx context.Context, dir string) error {
	older, err := filepath.Glob(filepath.Join(e.Parent, e.Name+"-*"))
	if err != nil {
		return err
	}
	for _, path := range older {
		if err := removeUnused(path); err != nil {
			return err
		}
	}
	unfinished, err := os.MkdirTemp(e.Parent, e.Name+"-unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	made := filepath.Join(unfinished, "made")
	if err := e.Make(ctx, made); err != nil {
		return err
	}
	return os.Rename(made, dir)
}

func removeUnused(dir string) error {
	unused, err := use(dir, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unused.Close()
	return os.RemoveAll(dir)
}

func use(dir string, how int) (*os.File, error) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), how); err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	return file, nil
}
