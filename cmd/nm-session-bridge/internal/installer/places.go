package installer

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Where packages install the program and the units; see dist/packages/nfpm.yaml.
const (
	packagedProgram = "/usr/bin/nm-session-bridge"
	packagedUnits   = "/usr/lib/systemd/user"
)

// places are the directories of the program's files and of the user's. They are below the
// home, data and configuration directories, or belong to a package.
type places struct {
	home, data, config string
	packaged           bool
}

func userPlaces() (places, error) {
	home := os.Getenv("HOME")
	info, err := os.Stat(home)
	if err != nil || !filepath.IsAbs(home) {
		return places{}, fmt.Errorf("HOME=%s is not the absolute path of a directory: run this with HOME set to your home, as a login sets it", home)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return places{}, fmt.Errorf("%s is not the home of user %d: run this as the user it is for, without sudo", home, os.Geteuid())
	}
	self, err := os.Executable()
	if err != nil {
		return places{}, err
	}
	return places{
		home:     filepath.Clean(home),
		data:     baseDirectory("XDG_DATA_HOME", home, ".local/share"),
		config:   baseDirectory("XDG_CONFIG_HOME", home, ".config"),
		packaged: self == packagedProgram && hasPackage(),
	}, nil
}

// baseDirectory reads a variable of the XDG base directory specification, which says that
// relative paths are ignored.
func baseDirectory(variable, home, otherwise string) string {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	return filepath.Join(home, otherwise)
}

// hasPackage reports whether a package has installed the service.
func hasPackage() bool {
	_, err := os.Stat(filepath.Join(packagedUnits, systemdctl.ServiceName))
	return err == nil
}

func (p places) program() string {
	if p.packaged {
		return packagedProgram
	}
	return filepath.Join(p.home, ".local/bin/nm-session-bridge")
}

func (p places) units() string {
	if p.packaged {
		return packagedUnits
	}
	return p.installedUnits()
}

// installedUnits returns the directory of the units that install writes.
func (p places) installedUnits() string { return filepath.Join(p.data, "systemd/user") }

func (p places) record() string { return filepath.Join(p.data, "nm-session-bridge/installed") }

// ownUnits returns the directory of the user's own units.
func (p places) ownUnits() string { return filepath.Join(p.config, "systemd/user") }

// man returns the path of a page of the manual, in the directory of its section.
func (p places) man(page string) string {
	return filepath.Join(p.data, "man", "man"+strings.TrimPrefix(filepath.Ext(page), "."), page)
}

// removeEmpty removes empty directories that install may have made for files that are gone.
// It leaves the home itself, and a link that the user has put in place of a directory.
func (p places) removeEmpty(paths []string) {
	for _, path := range paths {
		for dir := filepath.Dir(path); strings.HasPrefix(dir, p.home+"/") || strings.HasPrefix(dir, p.data+"/"); dir = filepath.Dir(dir) {
			if syscall.Rmdir(dir) != nil {
				break
			}
		}
	}
}

// files returns what install writes: this program, its manual, the units and the
// completions.
func (p places) files(extras Extras) ([]systemdctl.File, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return nil, err
	}
	files, err := systemdctl.UnitFiles(p.units())
	if err != nil {
		return nil, err
	}
	pages, err := fs.ReadDir(extras.Manual, ".")
	if err != nil {
		return nil, err
	}
	for _, page := range pages {
		content, err := fs.ReadFile(extras.Manual, page.Name())
		if err != nil {
			return nil, err
		}
		files = append(files, systemdctl.File{Path: p.man(page.Name()), Mode: 0o644, Content: content})
	}
	return append(files,
		systemdctl.File{Path: filepath.Join(p.data, "bash-completion/completions/nm-session-bridge"), Mode: 0o644, Content: extras.Bash},
		systemdctl.File{Path: filepath.Join(p.data, "fish/vendor_completions.d/nm-session-bridge.fish"), Mode: 0o644, Content: extras.Fish},
		systemdctl.File{Path: p.program(), Mode: 0o755, Content: program},
	), nil
}
