package doctor

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// edits are changes to a unit's files, as sed expressions. They address lines by content,
// so that two edits of a file work in either order.
type edits struct {
	unit  string
	files files
	// expressions holds the changes by file.
	expressions map[string][]string
	// words describe the changes to a person with an editor.
	words []string
	// unable is set if sed cannot make the changes.
	unable bool
	// links is set if the unit must be reenabled.
	links bool
	// starts is set if the unit must then be started.
	starts bool
}

func newEdits(name string, all files) *edits {
	e := &edits{unit: name, files: all, expressions: map[string][]string{}}
	for _, f := range all {
		if !writable(f.path) {
			e.unable = true // systemctl edit makes a writable copy
		}
	}
	e.unable = e.unable || len(all) == 0
	return e
}

func writable(path string) bool {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// rewrite changes names in settings of a section.
func (e *edits) rewrite(section string, keys []string, change func(key, name string) (string, bool)) {
	for _, f := range e.files {
		for _, s := range f.settings {
			if s.section != section || !slices.Contains(keys, s.key) {
				continue
			}
			var kept []string
			for _, name := range s.names {
				if other, keep := change(s.key, name); keep && !slices.Contains(kept, other) {
					kept = append(kept, other)
				}
			}
			if slices.Equal(kept, s.names) {
				continue
			}
			e.replace(f.path, s, kept)
		}
	}
}

func (e *edits) replace(path string, s setting, kept []string) {
	e.unable = e.unable || s.text == ""
	line := s.key + "=" + strings.Join(kept, " ")
	expression := "s/^" + pattern(s.text) + "$/" + replacement(line) + "/"
	if len(kept) == 0 {
		expression = "/^" + pattern(s.text) + "$/d"
		e.words = append(e.words, "without "+s.key+"="+strings.Join(s.names, " "))
	} else {
		e.words = append(e.words, line)
	}
	e.expressions[path] = append(e.expressions[path], expression)
}

// add adds lines to a section of the unit's own file.
func (e *edits) add(section string, lines ...string) {
	if len(lines) == 0 {
		return
	}
	e.words = append(e.words, lines...)
	if len(e.files) == 0 {
		return
	}
	f := e.files[0]
	text := replacement(strings.Join(lines, "\n"))
	header, there := f.headers[section]
	switch {
	case there:
		e.expressions[f.path] = append(e.expressions[f.path], "/^"+pattern(header)+"$/a "+text)
	case section == "Unit":
		e.expressions[f.path] = append(e.expressions[f.path], `1i [Unit]\n`+text)
	default:
		e.expressions[f.path] = append(e.expressions[f.path], "$a ["+section+`]\n`+text)
	}
}

// command returns the command line that makes the changes and applies them.
func (e *edits) command() string {
	after := "systemctl --user daemon-reload"
	if e.links {
		after = "systemctl --user reenable " + systemdctl.Quote(e.unit)
	}
	if e.starts {
		after += " && systemctl --user start " + systemdctl.Quote(e.unit)
	}
	if e.unable {
		return fmt.Sprintf("systemctl --user edit --full %s && %s  # %s", systemdctl.Quote(e.unit), after, strings.Join(e.words, ", "))
	}
	var commands []string
	for _, f := range e.files {
		expressions := e.expressions[f.path]
		if len(expressions) == 0 {
			continue
		}
		words := []string{"sed -i"}
		for _, expression := range expressions {
			words = append(words, "-e "+systemdctl.Quote(expression))
		}
		commands = append(commands, strings.Join(append(words, systemdctl.Quote(f.path)), " "))
	}
	return strings.Join(append(commands, after), " && ")
}

// pattern escapes text as a basic regular expression between slashes.
func pattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, `/`, `\/`, `.`, `\.`, `*`, `\*`, `[`, `\[`, `]`, `\]`, `^`, `\^`, `$`, `\$`).Replace(text)
}

// replacement escapes text for the right-hand side of sed's s command, and for its a
// command.
func replacement(text string) string {
	return strings.NewReplacer(`\`, `\\`, `/`, `\/`, `&`, `\&`, "\n", `\n`).Replace(text)
}
