package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/suggest"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// unread finds files of the user's that name targets of ours, but that the user manager does
// not read because of their directory or their name. It leaves alone what may be a copy or
// somebody's way to switch a unit off.
func (sys *system) unread() []Finding {
	var found []Finding
	for _, dir := range sys.user.manager.texts("UnitPath") {
		if !isOwnPath(dir) || strings.HasPrefix(dir, "/etc/") || filepath.Base(dir) != "user" {
			continue
		}
		above := filepath.Dir(dir)
		for _, name := range slices.Concat(matching(above, "*"), matching(above, "*/*")) {
			path := filepath.Join(above, name)
			if inside := filepath.Dir(path); inside == above || !slices.Contains(sys.user.manager.texts("UnitPath"), inside) {
				found = append(found, sys.unreadUnit(path, dir)...)
			}
		}
		for _, name := range slices.Concat(matching(dir, "*"), matching(dir, "*/*")) {
			path := filepath.Join(dir, name)
			switch folder := filepath.Base(filepath.Dir(path)); {
			case filepath.Dir(path) == dir:
				found = append(found, sys.unreadUnit(path, dir)...)
			case filepath.Ext(folder) == ".d":
				found = append(found, sys.unreadDropIn(path, dir)...)
			case isUnitName(folder):
				found = append(found, sys.unreadUnit(path, dir)...)
			}
		}
	}
	return found
}

// unreadUnit finds the file of a unit that is not in a directory of units, or has another name
// than it must have there.
func (sys *system) unreadUnit(path, dir string) []Finding {
	if isUnitName(path) && filepath.Dir(path) == dir && unix.Access(path, unix.R_OK) == unix.EACCES {
		return []Finding{forbidden(filepath.Base(path), path, "there is no such unit, and nothing starts it")}
	}
	f := readPath(path)
	name := meantUnit(filepath.Base(path), f)
	if spelt := rightSpelling(name); spelt != name {
		if !sys.namesTarget(f) || sys.isCopy(name) {
			return nil
		}
		return []Finding{{
			Unit: name,
			What: fmt.Sprintf("%s is no unit, because its name has a character that units cannot have", path),
			Why:  `only the letters a to z and A to Z, digits and :-_.\@ can be part of it: there is no such unit, and nothing starts it`,
			Mend: byEdit(moveTo(filepath.Join(dir, spelt), path), afterMove(spelt, f)...),
		}}
	}
	right := filepath.Join(dir, name)
	if name == "" || path == right || sys.hasFile(name) || !sys.namesTarget(f) {
		return nil
	}
	found := Finding{
		Unit: name,
		What: "the user manager does not look for units where " + path + " is",
		Why:  "there is no " + name + ", and nothing starts it",
	}
	found.Mend = byEdit(moveTo(right, path), afterMove(name, f)...)
	if filepath.Dir(path) == dir {
		found.What = fmt.Sprintf("%s is no unit, because its name does not end in %s", path, filepath.Ext(name))
	}
	return []Finding{found}
}

// isCopy reports whether a name is what a file manager may call a copy of the file of one of the
// user's units, such as "sync (copy).service". Started beside that unit, it would do the same twice.
func (sys *system) isCopy(name string) bool {
	kind := filepath.Ext(name)
	words := strings.Fields(strings.TrimSuffix(name, kind))
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(sys.user.own, word+kind) })
}

// afterMove returns the command that enables a unit whose file was moved, if it can be enabled.
func afterMove(name string, f file) []string {
	if len(files{f}.installs()) == 0 || isTemplate(name) {
		return nil
	}
	return []string{"systemctl --user enable " + systemdctl.Operands(name)}
}

// forbidden describes a unit's file that the user may not read. Without its lines, nobody knows
// which target it follows. A file in a directory of somebody else's must not become the user's:
// other users, or root, may run what it says.
func forbidden(unit, path, why string) Finding {
	f := Finding{
		Unit: unit,
		What: path + " cannot be read: permission denied",
		Why:  "the user manager reads it as you: " + why,
	}
	resolved, err := filepath.EvalSymlinks(path)
	quoted := systemdctl.Quote(resolved)
	switch {
	case err != nil:
		f.Mend = byEdit("namei -l " + systemdctl.Quote(path) + " shows which directory on the way you may not search")
	case owns(resolved):
		f.Mend = run("chmod u+r " + quoted + " && " + reload)
	case owns(filepath.Dir(resolved)):
		f.Mend = byEdit("make the file yours, if you trust it: sudo chown $USER " + quoted)
	default:
		f.Mend = byEdit("let everybody read the file, if it has no secrets: sudo chmod a+r " + quoted)
	}
	return f
}

// owns reports whether a file or a directory is the user's.
func owns(path string) bool {
	var file unix.Stat_t
	return unix.Stat(path, &file) == nil && int(file.Uid) == os.Geteuid()
}

// rightSpelling replaces the characters that systemd allows in no name of a unit (VALID_CHARS in
// its unit-name.c).
func rightSpelling(name string) string {
	return strings.Map(func(c rune) rune {
		if c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune(`:-_.\@`, c) {
			return '-'
		}
		return c
	}, name)
}

// unreadDropIn finds a drop-in whose directory is not named after a unit, or whose own name
// does not end in .conf.
func (sys *system) unreadDropIn(path, dir string) []Finding {
	f := readPath(path)
	name, folder := filepath.Base(path), filepath.Base(filepath.Dir(path))
	unit := strings.TrimSuffix(folder, ".d")
	if !sys.namesTarget(f) {
		return nil
	}
	isConf := filepath.Ext(name) == ".conf"
	switch known := sys.hasFile(unit) || !slices.Contains([]string{"", "not-found"}, sys.user.unit(unit).load()); {
	case known && !isConf && (isUnitName(name) || slices.Contains([]string{"", ".config", ".cfg"}, filepath.Ext(name))):
		right := strings.TrimSuffix(path, filepath.Ext(name)) + ".conf"
		return []Finding{{
			Unit: unit,
			What: path + " is no drop-in, because its name does not end in .conf",
			Why:  "the user manager does not read it",
			Mend: byEdit(moveTo(right, path)),
		}}
	case !known && !isConf && name == unit:
		return sys.unreadUnit(path, dir)
	case !known && isConf:
		meant := sys.meantFolder(unit)
		if meant == "" {
			return nil
		}
		return []Finding{{
			Unit: meant,
			What: fmt.Sprintf("%s changes no unit, because there is no %s", path, unit),
			Why:  meant + " does without it",
			Mend: byEdit(moveTo(filepath.Join(dir, meant+".d", name), path)),
		}}
	}
	return nil
}

// moveTo says how to make a file the right one. What is there already stays.
func moveTo(right, path string) string {
	switch {
	case filepath.Dir(path) == right:
		return "put the file in place of its directory " + right
	case exists(right):
		return "add the file's lines to " + right + ", which is already there"
	}
	return "move the file to " + right
}

// namesTarget reports whether a file names a target of ours that the system manager does not
// have as well.
func (sys *system) namesTarget(f file) bool {
	return slices.ContainsFunc(f.settings, func(s setting) bool {
		return slices.Contains(namingKeys(), s.key) && slices.ContainsFunc(s.names, func(name string) bool {
			return (slices.Contains(sys.targets, name) || sys.isInstance(name)) && !sys.isSystemUnit(name)
		})
	})
}

// hasFile reports whether the user manager knows a file by a name.
func (sys *system) hasFile(name string) bool {
	return slices.ContainsFunc(sys.user.files, func(file unitFile) bool { return filepath.Base(file.Path) == name })
}

// meantUnit returns the name that a unit's file was meant to have, or "" if it may be a copy or
// something else.
func meantUnit(name string, f file) string {
	if strings.HasPrefix(name, ".") || strings.Trim(name, "~#") != name {
		return "" // an editor's
	}
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	switch {
	case isUnitName(name):
		return name
	case ext == ".txt" && isUnitName(stem):
		return stem
	case ext == "" || ext == ".unit":
		for _, kind := range []string{"Timer", "Path", "Socket", "Service"} {
			if slices.ContainsFunc(f.settings, func(s setting) bool { return s.section == kind }) {
				return stem + "." + strings.ToLower(kind)
			}
		}
		return ""
	}
	if right, similar := suggest.Name(ext, []string{".service", ".timer", ".target", ".socket"}); similar && isWord(ext[1:]) {
		return stem + right
	}
	return ""
}

// isWord reports whether a text has letters only.
func isWord(text string) bool {
	return strings.TrimFunc(text, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }) == ""
}

// meantFolder returns the unit that a directory of drop-ins was meant for, or "" if that is not
// clear: the unit may not be installed here, or the drop-ins may be for several units.
func (sys *system) meantFolder(unit string) string {
	if sys.hasFile(unit + ".service") {
		return unit + ".service"
	}
	name := meantUnit(unit, file{})
	ext := filepath.Ext(name)
	if name == "" || strings.HasSuffix(name, "-"+ext) || sys.hasFile(templateOf(name)) {
		return ""
	}
	if sys.hasFile(name) {
		return name
	}
	var stems []string
	for _, known := range sys.user.own {
		if stem, sameKind := strings.CutSuffix(known, ext); sameKind {
			stems = append(stems, stem)
		}
	}
	if stem, similar := suggest.Name(strings.TrimSuffix(name, ext), stems); similar {
		return stem + ext
	}
	return ""
}
