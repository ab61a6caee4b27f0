package doctor

import (
	"maps"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/profiles"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// connections finds connection@.target instances that the unit names but no profile has.
// It finds nothing if NetworkManager does not list its profiles.
func (c unitCheck) connections() []Finding {
	if !c.machine.knowsProfiles {
		return nil
	}
	var found []Finding
	for _, s := range c.Switches {
		if s.HasTemplate() {
			found = append(found, c.strangers(s.Template)...)
		}
	}
	return found
}

// strangers corrects all misspelt names at once, because they may stand in one line.
func (c unitCheck) strangers(template observers.Template) []Finding {
	const why = "the target is active only while a profile with that name is, so the unit waits in vain"
	var found []Finding
	var wrong []string
	renames := map[string]string{}
	for _, target := range c.names() {
		instance, isInstance := template.Instance(target)
		if !isInstance || strings.Contains(instance, "%") {
			continue
		}
		words, meant := profiles.Meant(instance, c.machine.profiles)
		if meant == instance {
			continue
		}
		c.reported[target] = true
		place := c.place(target) + " of " + c.pathNaming(target) + ": "
		if meant != "" {
			renames[target] = template.Target(meant)
			wrong = append(wrong, place+words+renames[target])
			continue
		}
		found = append(found, Finding{
			What: c.name + ": " + place + words,
			Why:  why + ", unless you add that profile",
			Mend: run(c.chooseProfile(template)),
		})
	}
	if len(wrong) == 0 {
		return found
	}
	return append(found, Finding{What: c.name + ": " + strings.Join(wrong, "; "), Why: why, Mend: run(c.rename(template, renames))})
}

// pathNaming returns the file of the unit that names another unit, or the unit's main
// file if no file has that name literally.
func (c unitCheck) pathNaming(other string) string {
	for _, f := range c.files {
		if (files{f}).name(other) {
			return f.path
		}
	}
	return c.text("FragmentPath")
}

// rename returns the command that replaces names of a template's instances in the unit.
func (c unitCheck) rename(template observers.Template, renames map[string]string) string {
	command := "systemctl --user reenable " + systemdctl.Quote(c.name) // removes links that the unit no longer asks for
	for _, wrong := range slices.Sorted(maps.Keys(renames)) {
		right := renames[wrong]
		if c.files.name(wrong) {
			return c.follow(nil, renames, false)
		}
		// The unit may be an instance itself that passes its name on to the target.
		from, _ := template.Instance(wrong)
		to, _ := template.Instance(right)
		other := strings.Replace(c.name, "@"+from+".", "@"+to+".", 1)
		if other == c.name {
			command += " && systemctl --user add-wants " + systemdctl.Quote(right) + " " + systemdctl.Quote(c.name)
			continue
		}
		command = "systemctl --user disable --now " + systemdctl.Quote(c.name) + " && systemctl --user enable "
		if c.user.unit(right).active() && !c.isOnce() {
			command += "--now "
		}
		return command + systemdctl.Quote(other)
	}
	return command
}

// chooseProfile returns a command that lets the user choose the profile.
func (c unitCheck) chooseProfile(template observers.Template) string {
	var targets []string
	for _, name := range c.machine.profiles {
		targets = append(targets, template.Target(observers.Escape(name)))
	}
	edit := newEdits(c.name, nil)
	edit.links = true
	edit.words = []string{"there are " + few(targets)}
	if len(targets) == 0 {
		edit.words = []string{"there are no profiles"}
	}
	return edit.command()
}
