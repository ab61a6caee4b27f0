package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// The drop-ins that commands of the doctor write. Each command writes the whole file, so
// two for one unit need two files. They sort after other drop-ins, so their lines take
// effect last, and those of dropInName after those of startingDropIn.
const (
	dropInName     = "zz-nm-session-bridge.conf"
	startingDropIn = "zz-nm-session-bridge-start.conf" // for what makes a failed unit start
)

// place is where changes to a unit belong.
type place struct {
	// dropIn is the drop-in for new lines. content is what it already contains.
	dropIn, content string
	// sudo is set if root owns the unit's files.
	sudo bool
	// source says in words what the unit's file is made from, if that must be changed
	// instead.
	source string
}

// placeOf finds the place for changes to a unit. Changes to an instance go to its template,
// unless the template names other units by the instance. New lines go to the named drop-in.
func (sys *system) placeOf(u unit, all files, dropIn string) place {
	fragment, name := u.text("FragmentPath"), u.name
	bySpecifier := slices.ContainsFunc(all, func(f file) bool {
		return slices.ContainsFunc(f.settings, func(s setting) bool {
			return slices.Contains(namingKeys(), s.key) && strings.Contains(strings.Join(s.names, " "), "%")
		})
	})
	if template := templateOf(name); template != "" && !bySpecifier {
		name = template
	}
	p := place{source: sourceOf(u)}
	dir := sys.user.configuration()
	if isRoots(fragment) {
		p.sudo = true
		dir = filepath.Dir(fragment)
		if resolved, err := filepath.EvalSymlinks(dir); err == nil {
			dir = resolved // Debian's /etc/xdg/systemd/user is a link
		}
	}
	p.dropIn = filepath.Join(dir, name+".d", dropIn)
	content, _ := readUnit(p.dropIn) // there may be none yet
	p.content = string(content)
	return p
}

// sourceOf returns words for what a unit's file is made from, or "" if somebody has written
// the file itself.
func sourceOf(u unit) string {
	fragment := u.text("FragmentPath")
	resolved, err := filepath.EvalSymlinks(fragment)
	switch {
	case isGenerated(fragment):
		return u.text("SourcePath")
	case err == nil && strings.HasPrefix(resolved, "/nix/store/"):
		return "the source of " + fragment + ", such as systemd.user in home-manager's configuration"
	}
	return ""
}

// isGenerated reports whether a generator has written a file (systemd.generator(7)).
func isGenerated(path string) bool {
	return strings.HasPrefix(path, "/run/") && strings.HasPrefix(filepath.Base(filepath.Dir(path)), "generator")
}

// configuration returns the directory in which users keep their own units.
func (u user) configuration() string {
	for _, dir := range u.manager.texts("UnitPath") {
		if isOwnPath(dir) && strings.HasSuffix(dir, "/systemd/user") {
			return dir
		}
	}
	return ""
}

// isEditable reports whether sed can change a file. It must have no other hard link,
// because sed replaces the file and the other name would keep the old one.
func isEditable(path string, sudo bool) bool {
	var stat unix.Stat_t
	if unix.Stat(path, &stat) != nil || stat.Nlink > 1 {
		return false
	}
	return sudo || slices.Equal(
		[]error{unix.Access(path, unix.W_OK), unix.Access(filepath.Dir(path), unix.W_OK)}, []error{nil, nil})
}

// isRoots reports whether a file belongs to root, and the user is not root.
func isRoots(path string) bool { return strings.HasPrefix(path, "/etc/") && os.Geteuid() != 0 }

// asRoot returns a command for the user that may run it.
func asRoot(sudo bool, command string) string {
	if sudo {
		return "sudo " + command
	}
	return command
}

// write returns the command that adds lines to the drop-in.
func (p place) write(lines map[string][]string) string {
	words := []string{`printf '%s\n'`}
	for line := range strings.Lines(p.content) {
		words = append(words, systemdctl.Quote(strings.TrimRight(line, "\r\n")))
	}
	for _, section := range sections(lines) {
		for _, line := range append([]string{"[" + section + "]"}, lines[section]...) {
			words = append(words, systemdctl.Quote(line))
		}
	}
	dir, path := systemdctl.Quote(filepath.Dir(p.dropIn)), systemdctl.Quote(p.dropIn)
	if p.sudo {
		return "sudo mkdir -p " + dir + " && " + strings.Join(words, " ") + " | sudo tee " + path + " >/dev/null"
	}
	return "mkdir -p " + dir + " && " + strings.Join(words, " ") + " >" + path
}
