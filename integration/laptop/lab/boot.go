package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	disk = "/dev/vda"
	// diskTimeout bounds the wait for the disk, which appears some time after
	// its driver was loaded.
	diskTimeout = time.Minute
)

// boot resumes the hibernated system, if there is one. Otherwise boot makes the disk
// the root directory, copies the files under /layer onto it and becomes systemd. It
// returns only with an error, on which the kernel panics.
func boot() error {
	if err := loadModules("/modules"); err != nil {
		return err
	}
	if err := unix.Mount("dev", "/dev", "devtmpfs", 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("cannot mount /dev: %w", err)
	}
	if swap := os.Getenv(swapVariable); swap != "" {
		if err := resume(swap, "/sys"); err != nil {
			return err
		}
	}
	if err := mountDisk("/root"); err != nil {
		return err
	}
	if err := move("/layer", "/root"); err != nil {
		return err
	}
	if err := switchRoot("/root"); err != nil {
		return err
	}
	return fmt.Errorf("cannot start systemd: %w", unix.Exec("/lib/systemd/systemd", []string{"/sbin/init"}, os.Environ()))
}

// loadModules loads the kernel modules of a directory in the order of their names.
func loadModules(dir string) error {
	modules, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, module := range modules {
		file, err := os.Open(filepath.Join(dir, module.Name()))
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(file.Fd()), "", 0)
		file.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("cannot load %s: %w", module.Name(), err)
		}
	}
	return nil
}

func mountDisk(where string) error {
	for end := time.Now().Add(diskTimeout); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Mount(disk, where, "ext4", unix.MS_NOATIME, "")
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("cannot mount %s: %w", disk, err)
		}
	}
}

// move moves a tree of files onto another, replacing what is there.
func move(from, to string) error {
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, path[len(from):])
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return copyEntry(path, target, entry)
	})
	if err != nil {
		return fmt.Errorf("cannot put the files of this laptop on its disk: %w", err)
	}
	return os.RemoveAll(from) // it takes up memory
}

func copyEntry(path, target string, entry fs.DirEntry) error {
	if entry.Type() == fs.ModeSymlink {
		link, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(target, content, info.Mode())
}

// switchRoot makes a mounted directory the root, with /dev in it.
func switchRoot(root string) error {
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"move /dev", func() error { return unix.Mount("/dev", root+"/dev", "", unix.MS_MOVE, "") }},
		{"go to the disk", func() error { return unix.Chdir(root) }},
		{"move the disk", func() error { return unix.Mount(".", "/", "", unix.MS_MOVE, "") }},
		{"change the root", func() error { return unix.Chroot(".") }},
		{"go to the root", func() error { return unix.Chdir("/") }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}
