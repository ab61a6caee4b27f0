package doctor

import (
	"maps"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/profiles"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// connections finds targets of profiles that the unit names and no profile has.
// Where NetworkManager does not tell its profiles there are none.
func (e unitCheck) connections() []Finding {
	if !e.machine.knowsProfiles {
		return nil
	}
	var found []Finding
	for _, s := range e.Switches {
		if s.HasTemplate() {
			found = append(found, e.strangers(s.Template)...)
		}
	}
	return found
}

// strangers mends all names at once that it knows better: they may stand in one line.
func (e unitCheck) strangers(template observers.Template) []Finding {
	const why = "the target is active only while a profile of its name is: what names it so waits in vain"
	var found []Finding
	var wrong []string
	renames := map[string]string{}
	for _, target := range e.names() {
		instance, isInstance := template.Instance(target)
		if !isInstance || strings.Contains(instance, "%") {
			continue
		}
		words, meant := profiles.Meant(instance, e.machine.profiles)
		if meant == instance {
			continue
		}
		e.reported[target] = true
		place := e.place(target) + " of " + e.pathNaming(target) + ": "
		if meant != "" {
			renames[target] = template.Target(meant)
			wrong = append(wrong, place+words+renames[target])
			continue
		}
		found = append(found, Finding{
			What: e.name + ": " + place + words,
			Why:  why + ", unless such a profile is yet to come",
			Mend: e.chooseProfile(template),
		})
	}
	if len(wrong) == 0 {
		return found
	}
	return append(found, Finding{What: e.name + ": " + strings.Join(wrong, "; "), Why: why, Mend: e.rename(template, renames)})
}

// pathNaming returns the file of the unit that names another, the unit's own
// where none does in so many words.
func (e unitCheck) pathNaming(other string) string {
	for _, f := range e.files {
		if (files{f}).name(other) {
			return f.path
		}
	}
	return e.text("FragmentPath")
}

// rename is the command that gives the unit other names of a template's
// instances.
func (e unitCheck) rename(template observers.Template, renames map[string]string) string {
	command := "systemctl --user reenable " + quoted(e.name) // takes links away that the unit does not ask for
	for _, wrong := range slices.Sorted(maps.Keys(renames)) {
		right := renames[wrong]
		if e.files.name(wrong) {
			return e.follow(nil, renames, false)
		}
		// The unit may be an instance itself, from which its target has the name.
		from, _ := template.Instance(wrong)
		to, _ := template.Instance(right)
		other := strings.Replace(e.name, "@"+from+".", "@"+to+".", 1)
		if other == e.name {
			command += " && systemctl --user add-wants " + quoted(right) + " " + quoted(e.name)
			continue
		}
		command = "systemctl --user disable --now " + quoted(e.name) + " && systemctl --user enable "
		if e.user.unit(right).active() && !e.isOnce() {
			command += "--now "
		}
		return command + quoted(other)
	}
	return command
}

// chooseProfile leaves it to the user which profile was meant.
func (e unitCheck) chooseProfile(template observers.Template) string {
	var targets []string
	for _, name := range e.machine.profiles {
		targets = append(targets, template.Target(observers.Escape(name)))
	}
	edit := newEdits(e.name, nil)
	edit.links = true
	edit.words = []string{"there are " + few(targets)}
	if len(targets) == 0 {
		edit.words = []string{"there are no profiles"}
	}
	return edit.command()
}
