package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// file is a unit file. The doctor reads it only for what the user manager does not know:
// [Install], and the lines to change.
type file struct {
	path     string
	settings []setting
}

// setting is an assignment.
type setting struct {
	section, key string
	names        []string
	// text is its line, or "" if it spans several.
	text string
}

type files []file

// readAll reads a unit's file and drop-ins.
func readAll(u unit) (files, error) {
	var all files
	for _, path := range append([]string{u.text("FragmentPath")}, u.texts("DropInPaths")...) {
		// An edit must change what a link points to.
		resolved, err := filepath.EvalSymlinks(path)
		if err != nil {
			return nil, err
		}
		content, err := readUnit(resolved)
		if err != nil {
			return nil, err
		}
		f := parse(resolved, string(content))
		if u.state() == "static" { // systemd before 254 does not know UpheldBy=, and sees nothing to enable
			f.settings = slices.DeleteFunc(f.settings, func(s setting) bool { return s.section == "Install" && s.key == "UpheldBy" })
		}
		all = append(all, f)
	}
	return all, nil
}

// readPath reads a file. The result is empty if that fails.
func readPath(path string) file {
	content, _ := readUnit(path)
	return parse(path, string(content))
}

// largest is more than anybody writes into a unit's file.
const largest = 1 << 20

// readUnit reads a file that may be a unit's. Among the user's files there may also be an
// archive, a pipe or a device.
func readUnit(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > largest {
		return nil, fmt.Errorf("%s is not the file of a unit", path)
	}
	return systemdctl.ReadRegular(path)
}

// parse parses a unit file (systemd.syntax(7)).
func parse(path, content string) file {
	f := file{path: path}
	var section, begun string
	pieces := 0
	for text := range strings.Lines(strings.TrimPrefix(content, "\ufeff")) {
		text = strings.TrimSuffix(text, "\n")
		trimmed := strings.TrimSpace(text)
		if trimmed == "" && pieces == 0 || strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
			continue
		}
		pieces++
		if piece, continued := continues(text); continued {
			begun += piece + " "
			continue
		}
		whole := strings.TrimSpace(begun + text)
		if pieces > 1 {
			text = ""
		}
		begun, pieces = "", 0
		if strings.HasPrefix(whole, "[") && strings.HasSuffix(whole, "]") {
			section = whole[1 : len(whole)-1]
			continue
		}
		if key, value, isSetting := strings.Cut(whole, "="); isSetting {
			f.settings = append(f.settings, setting{section, strings.TrimSpace(key), namesIn(value), text})
		}
	}
	return f
}

// continues reports whether the next line belongs to this one, and returns it without the
// backslash that says so.
func continues(line string) (piece string, continued bool) {
	line = strings.TrimSuffix(line, "\r")
	piece = strings.TrimRight(line, `\`)
	if (len(line)-len(piece))%2 == 0 {
		return "", false
	}
	return line[:len(line)-1], true
}

// namesIn splits a list of units. An instance stays one name even if somebody wrote blanks
// into it, although systemd treats it as two names.
func namesIn(value string) []string {
	var names []string
	for _, word := range strings.Fields(value) {
		word = strings.Trim(word, `"'`)
		if last := len(names) - 1; last >= 0 && strings.Contains(names[last], "@") && !isUnitName(names[last]) {
			names[last] += " " + word
			continue
		}
		names = append(names, word)
	}
	return names
}

// isUnitName reports whether a name has a suffix of a unit (systemd.unit(5)).
func isUnitName(name string) bool {
	return slices.Contains([]string{
		".target", ".service", ".timer", ".path", ".socket", ".mount", ".automount", ".slice", ".scope", ".device", ".swap",
	}, filepath.Ext(name))
}

// names returns the units that a setting lists in all its assignments. An empty assignment
// clears those before it.
func (f file) names(section, key string) []string {
	var names []string
	for _, s := range f.settings {
		if s.section != section || s.key != key {
			continue
		}
		names = append(names, s.names...)
		if len(s.names) == 0 {
			names = nil
		}
	}
	return names
}

func installKeys() []string { return []string{"WantedBy", "RequiredBy", "UpheldBy"} }

// installs returns the units that start the unit according to [Install]. It leaves out
// names with specifiers.
func (fs files) installs() []string {
	var names []string
	for _, f := range fs {
		for _, key := range installKeys() {
			names = append(names, f.names("Install", key)...)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return strings.Contains(name, "%") })
}

// assign reports whether one of the settings in a section names a unit that matches.
func (fs files) assign(section string, keys []string, is func(name string) bool) bool {
	return slices.ContainsFunc(fs, func(f file) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return slices.ContainsFunc(f.names(section, key), is) })
	})
}

// name reports whether a setting of the files names a unit.
func (fs files) name(unit string) bool {
	return slices.ContainsFunc(fs, func(f file) bool {
		return slices.ContainsFunc(f.settings, func(s setting) bool { return slices.Contains(s.names, unit) })
	})
}
