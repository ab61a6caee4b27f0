package doctor

import (
	"maps"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// change is everything that must change about a unit. New lines go to a drop-in, which
// leaves alone the user's file or the file that it links to. Only what a drop-in cannot
// undo, such as a dependency, is changed in the file itself.
type change struct {
	unit  unit
	files files
	place place
	// lines are the new lines of each section.
	lines map[string][]string
	edits []edit
	// unable says why no command can make the changes.
	unable string
	// instead is what to do if the changes themselves would do harm.
	instead Mend
	// enables and starts are set if the unit must be enabled and started.
	enables, starts bool
}

// edit replaces the names in a setting of a file, or removes it.
type edit struct {
	path string
	setting
	kept []string
}

func (e edit) before() string { return e.key + "=" + strings.Join(e.names, " ") }
func (e edit) after() string  { return e.key + "=" + strings.Join(e.kept, " ") }

func newChange(u unit, all files, where place) *change {
	return &change{unit: u, files: all, place: where, lines: map[string][]string{}}
}

// add adds lines to a section.
func (ch *change) add(section string, lines ...string) {
	for _, line := range lines {
		if !ch.has(section, line) {
			ch.lines[section] = append(ch.lines[section], line)
		}
	}
}

// has reports whether a line will be added.
func (ch *change) has(section, line string) bool { return slices.Contains(ch.lines[section], line) }

// writes reports whether an edit leaves a name in a setting, and drops whether one takes it out.
func (ch *change) writes(key, name string) bool {
	return slices.ContainsFunc(ch.edits, func(e edit) bool { return e.key == key && slices.Contains(e.kept, name) })
}

func (ch *change) drops(name string) bool {
	return slices.ContainsFunc(ch.edits, func(e edit) bool { return slices.Contains(e.names, name) && !slices.Contains(e.kept, name) })
}

// size grows with everything that has to change.
func (ch *change) size() int {
	size := len(ch.edits)
	for _, lines := range ch.lines {
		size += len(lines)
	}
	for _, too := range []bool{ch.enables, ch.starts, ch.unable != "", ch.instead != Mend{}} {
		if too {
			size++
		}
	}
	return size
}

// changesFiles reports whether the unit's files must change.
func (ch *change) changesFiles() bool { return len(ch.lines)+len(ch.edits) > 0 }

// rewrite changes names in settings of a section. It may be called again for more changes.
func (ch *change) rewrite(section string, keys []string, other func(key, name string) (string, bool)) {
	ch.rewriteIn(ch.files, section, keys, other)
}

// rewriteIn is like rewrite, for some of the unit's files.
func (ch *change) rewriteIn(some files, section string, keys []string, other func(key, name string) (string, bool)) {
	for _, f := range some {
		for _, s := range f.settings {
			if s.section != section || !slices.Contains(keys, s.key) {
				continue
			}
			e := edit{f.path, s, s.names}
			known := slices.IndexFunc(ch.edits, func(known edit) bool { return known.path == e.path && known.before() == e.before() })
			if known >= 0 {
				e = ch.edits[known]
			}
			var kept []string
			for _, name := range e.kept {
				if other, keep := other(s.key, name); keep && !slices.Contains(kept, other) {
					kept = append(kept, other)
				}
			}
			if slices.Equal(kept, e.kept) {
				continue
			}
			e.kept = kept
			if known >= 0 {
				ch.edits[known] = e
				continue
			}
			ch.edits = append(ch.edits, e)
			switch {
			case s.text == "":
				ch.unable = "the line continues on the next one"
			case !isEditable(f.path, ch.place.sudo):
				ch.unable = "the file cannot be replaced"
			}
		}
	}
}

// mend returns the command that makes the changes and applies them, or the words that say
// what to do by hand.
func (ch *change) mend() Mend {
	if ch.instead != (Mend{}) {
		return ch.instead
	}
	if ch.unable != "" || ch.place.source != "" && ch.changesFiles() {
		return byHand(ch.words())
	}
	lines := maps.Clone(ch.lines)
	var commands []string
	for _, f := range ch.files {
		command, took := ch.sed(f.path, lines["Unit"])
		if took {
			delete(lines, "Unit")
		}
		if command != "" {
			commands = append(commands, asRoot(ch.place.sudo, command))
		}
	}
	if len(lines) > 0 {
		commands = append(commands, ch.place.write(lines))
	}
	commands = append(commands, ch.apply()...)
	if len(commands) == 0 {
		return byHand("systemctl --user enable " + systemdctl.Operands(strings.Replace(ch.unit.name, "@.", "@INSTANCE.", 1)) + ", with what the instance is for")
	}
	return run(strings.Join(commands, " && "))
}

// sed returns the command that edits a file, and reports whether the command also adds
// lines to [Unit]. It addresses lines by their content, so it changes nothing when it is
// run again.
func (ch *change) sed(path string, unit []string) (command string, added bool) {
	words := []string{"sed -i"}
	for _, e := range ch.edits {
		if e.path != path {
			continue
		}
		var lines []string
		if len(e.kept) > 0 {
			lines = []string{e.after()}
		}
		if e.section == "Unit" && !added {
			lines = append(lines, unit...)
			added = true
		}
		words = append(words, "-e "+systemdctl.Quote(e.expression(lines)))
	}
	if len(words) == 1 {
		return "", false
	}
	return strings.Join(append(words, systemdctl.Quote(path)), " "), added
}

// expression replaces the setting's line with others.
func (e edit) expression(lines []string) string {
	if len(lines) == 0 {
		return "/^" + pattern(e.text) + "$/d"
	}
	text := strings.Join(lines, "\n")
	if strings.HasSuffix(e.text, "\r") {
		text = strings.ReplaceAll(text, "\n", "\r\n") + "\r"
	}
	return "s/^" + pattern(e.text) + "$/" + replacement(text) + "/"
}

// apply returns the commands that make the user manager know the changes.
func (ch *change) apply() []string {
	name := systemdctl.Operands(ch.unit.name)
	var commands []string
	if ch.changesFiles() {
		commands = append(commands, reload)
	}
	switch {
	case isTemplate(ch.unit.name): // nothing starts a template itself
	case ch.enables && ch.starts:
		commands = append(commands, "systemctl --user enable --now "+name)
	case ch.enables:
		commands = append(commands, "systemctl --user enable "+name)
	case ch.starts:
		commands = append(commands, "systemctl --user start "+name)
	}
	return commands
}

// words says what a person must change.
func (ch *change) words() string {
	var what []string
	for _, e := range ch.edits {
		if len(e.kept) == 0 {
			what = append(what, "remove "+e.before())
		} else {
			what = append(what, "replace "+e.before()+" with "+e.after())
		}
	}
	for _, section := range sections(ch.lines) {
		what = append(what, "add "+listed(ch.lines[section])+" under ["+section+"]")
	}
	where, commands, why := ch.unit.text("FragmentPath"), ch.apply(), ch.unable
	if ch.place.source != "" {
		where = ch.place.source
		ch.enables = false // the generator also enables it
		commands = ch.apply()
	}
	if len(ch.edits) > 0 {
		where = ch.edits[0].path
	}
	if strings.HasPrefix(where, "/usr/") || strings.HasPrefix(where, "/lib/") {
		where = "your copy of " + where + " (systemctl --user edit --full " + systemdctl.Operands(ch.unit.name) + ")"
	}
	text := "in " + where + ", " + listed(what)
	if why != "" {
		text += ", because " + why
	}
	return text + "; then " + strings.Join(commands, " && ")
}

// sections returns the names of sections in the order that people use.
func sections(lines map[string][]string) []string {
	rank := map[string]int{"Unit": -1, "Install": 1}
	return slices.SortedFunc(maps.Keys(lines), func(a, b string) int {
		if rank[a] != rank[b] {
			return rank[a] - rank[b]
		}
		return strings.Compare(a, b)
	})
}

// pattern escapes text as a basic regular expression between slashes.
func pattern(text string) string {
	return strings.NewReplacer(
		`\`, `\\`, `/`, `\/`, `.`, `\.`, `*`, `\*`, `[`, `\[`, `]`, `\]`, `^`, `\^`, `$`, `\$`,
		"\t", `\t`, "\r", `\r`,
	).Replace(text)
}

// replacement escapes text for the right-hand side of sed's s command.
func replacement(text string) string {
	return strings.NewReplacer(`\`, `\\`, `/`, `\/`, `&`, `\&`, "\n", `\n`, "\r", `\r`).Replace(text)
}
