package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// services lists the links that start services at the next boot, and the policy that lets none start
// before.
func (m *machine) services() ([]string, error) {
	var files []string
	const policy = "/usr/sbin/policy-rc.d"
	if _, err := os.Lstat(m.root + policy); err == nil {
		files = append(files, m.root+policy)
	}
	err := filepath.WalkDir(m.root+"/etc/systemd", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type() == fs.ModeSymlink {
			files = append(files, path)
		}
		return err
	})
	for i, file := range files {
		files[i] = strings.TrimPrefix(file, m.root)
	}
	return files, err
}

// checkServices returns an error if there is more of that than before.
func (m *machine) checkServices(before []string) error {
	now, err := m.services()
	if err != nil {
		return err
	}
	added := slices.DeleteFunc(now, func(file string) bool { return slices.Contains(before, file) })
	if len(added) > 0 {
		return fmt.Errorf("these are new: %s", strings.Join(added, " "))
	}
	return nil
}
