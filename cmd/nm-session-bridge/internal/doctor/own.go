package doctor

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// isOwn reports whether somebody has written or changed the unit: its file, a drop-in of
// it, or what a generator makes it from. A desktop's autostart files do not count.
func (u unit) isOwn() bool {
	source := u.text("SourcePath")
	return isOwnPath(u.text("FragmentPath")) || slices.Contains(append(unloadable(), "loaded"), u.load()) &&
		(slices.ContainsFunc(u.texts("DropInPaths"), isOwnPath) || isOwnPath(source) && filepath.Ext(source) != ".desktop")
}

// isOwnPath reports whether somebody has written a file, as opposed to packages, generators
// and transient units (systemd.unit(5), "User Unit Search Path").
func isOwnPath(path string) bool {
	return path != "" && !slices.ContainsFunc([]string{"/usr/", "/lib/", "/run/", "/nix/store/"}, func(dir string) bool {
		return strings.HasPrefix(path, dir)
	})
}

// listOwn returns the units and templates that somebody may have written or changed for the
// user, and the loaded instances of such templates.
func (u *user) listOwn(ctx context.Context, manager object, loaded []systemd.UnitStatus) ([]string, error) {
	if err := manager.call(ctx, managerInterface+".ListUnitFiles", &u.files); err != nil {
		return nil, err
	}
	names := u.changed()
	for _, file := range u.files {
		if isOwnPath(file.Path) || isGenerated(file.Path) {
			names = append(names, filepath.Base(file.Path))
		}
	}
	for _, l := range loaded {
		if slices.Contains(names, templateOf(l.Name)) {
			names = append(names, l.Name)
		}
	}
	return names, nil
}

// Units returns the names of units that somebody has written or changed for the user, for a
// shell to complete. It returns none if the user manager does not answer.
func Units(ctx context.Context) []string {
	address, err := bus.SessionAddress()
	if err != nil {
		return nil
	}
	conn, err := bus.Connect(ctx, address)
	if err != nil {
		return nil
	}
	defer conn.Close()
	u, manager := user{}, object{conn, systemdctl.ManagerName, "/org/freedesktop/systemd1"}
	if u.manager, err = manager.all(ctx, managerInterface); err != nil {
		return nil
	}
	names, _ := u.listOwn(ctx, manager, nil) // none if it fails
	slices.Sort(names)
	return slices.Compact(names)
}

// matching returns the names in a directory that match a pattern. The directory's own name,
// which may have brackets or backslashes, is not part of the pattern.
func matching(dir, pattern string) []string {
	names, _ := fs.Glob(os.DirFS(dir), pattern) // fails for bad patterns only
	return names
}

// changed returns the units that have a directory of drop-ins among the user's units.
func (u user) changed() []string {
	var names []string
	for _, dir := range u.manager.texts("UnitPath") {
		if !isOwnPath(dir) {
			continue
		}
		for _, folder := range matching(dir, "*.d") {
			if name := strings.TrimSuffix(folder, ".d"); isUnitName(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// dangling returns the link that should be the file of a unit, and the missing file that it
// leads to.
func (u user) dangling(name string) (path, to string) {
	for _, dir := range u.manager.texts("UnitPath") {
		path := filepath.Join(dir, name)
		if to, err := os.Readlink(path); err == nil && !exists(path) && u.unit(name).load() == "not-found" {
			return path, to
		}
	}
	return "", ""
}
