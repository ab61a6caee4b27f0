package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// compiled is where Go keeps what it has compiled for a user of the machine. To compile
// everything again takes minutes, so each machine of a suite hands it on to the next.
type compiled struct {
	name  string
	owner int
	home  string
}

func (m *machine) compiled() []compiled {
	return []compiled{
		{user, number, filepath.Join(m.root, "home", user)},
		{"root", 0, filepath.Join(m.root, "root")},
	}
}

func (c compiled) cache() string { return filepath.Join(c.home, ".cache") }

func (m *machine) kept(c compiled) string { return m.root + ".compiled-" + c.name }

// inherit takes over what earlier machines have compiled.
func (m *machine) inherit() error {
	for _, c := range m.compiled() {
		if _, err := os.Stat(m.kept(c)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.Mkdir(c.cache(), 0o755); err != nil {
			return err
		}
		if err := os.Lchown(c.cache(), c.owner, c.owner); err != nil {
			return err
		}
		if err := os.Rename(m.kept(c), filepath.Join(c.cache(), "go-build")); err != nil {
			return err
		}
	}
	return nil
}

// bequeath leaves to later machines what this one has compiled.
func (m *machine) bequeath() error {
	for _, c := range m.compiled() {
		from := filepath.Join(c.cache(), "go-build")
		if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.RemoveAll(m.kept(c)); err != nil {
			return err
		}
		if err := os.Rename(from, m.kept(c)); err != nil {
			return err
		}
	}
	return nil
}
