// Package needs names the packages that the sandbox, the tests, the laptops and the benchmark take from the
// distribution, and finds out which of them are missing.
package needs

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Package is a package by its names in three families of distributions. If a family needs several
// packages, blanks separate their names.
type Package struct {
	Apt, Dnf, Pacman string
	// sign identifies an installed package: all of these must exist.
	sign []anyOf
}

// anyOf lists alternatives: names of programs, and patterns of absolute paths.
type anyOf []string

// program returns the sign of a package: a program with that name.
func program(name string) []anyOf { return []anyOf{{name}} }

// Installed reports whether all signs of the package exist.
func (p Package) Installed() bool {
	for _, alternatives := range p.sign {
		if !slices.ContainsFunc(alternatives, exists) {
			return false
		}
	}
	return true
}

func exists(what string) bool {
	if filepath.IsAbs(what) {
		found, err := filepath.Glob(what)
		return err == nil && len(found) > 0
	}
	// An ordinary user's PATH lacks the last two.
	for _, directory := range []string{"", "/usr/sbin/", "/sbin/"} {
		if _, err := exec.LookPath(directory + what); err == nil {
			return true
		}
	}
	return false
}

// Missing lists the packages that are not installed. It needs no root.
func Missing(packages []Package) []Package {
	return slices.DeleteFunc(slices.Clone(packages), Package.Installed)
}

// Check returns an error if a package is not installed. The error names the Debian command that
// installs the missing ones.
func Check(packages []Package) error {
	if missing := Missing(packages); len(missing) > 0 {
		return fmt.Errorf("packages are missing, install them with: %s", InstallCommand("apt-get", missing))
	}
	return nil
}

// InstallCommand returns the command that installs packages with apt-get, dnf or pacman, for people to
// read and to type as root.
func InstallCommand(manager string, packages []Package) string {
	verb := " install "
	if manager == "pacman" {
		verb = " -S --needed "
	}
	return manager + verb + strings.Join(Names(manager, packages), " ")
}

// Names returns the names that apt-get, dnf or pacman knows packages by, each once.
func Names(manager string, packages []Package) []string {
	var names []string
	for _, p := range packages {
		family := p.Apt
		switch manager {
		case "dnf":
			family = p.Dnf
		case "pacman":
			family = p.Pacman
		}
		for _, name := range strings.Fields(family) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
