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
	const why = "no profile has that name, so the target is never active"
	var found []Finding
	var wrong []string
	renames := map[string]string{}
	for _, target := range c.names() {
		instance, isInstance := template.Instance(target)
		if !isInstance || strings.Contains(instance, "%") || isTrial(instance) {
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
			Mend: c.chooseProfile(template, target),
		})
	}
	if len(wrong) == 0 {
		return found
	}
	f := Finding{What: c.name + ": " + strings.Join(wrong, "; "), Why: why}
	if other, right := c.rightInstance(template, renames); other != "" {
		if slices.Contains(c.user.unit(right).wants(), other) {
			return found
		}
		now := ""
		if c.user.unit(right).active() && !c.isOnce() {
			now = "--now "
		}
		f.Mend = run("systemctl --user enable " + now + systemdctl.Operands(other))
	} else if !c.follow(slices.Sorted(maps.Values(renames)), renames, c.isInstalledBy(renames)) {
		return found
	}
	return append(found, f)
}

// rightInstance is for a unit that is an instance and passes on a wrong name. It returns
// the instance of the template that passes on the right name, and that name.
func (c unitCheck) rightInstance(template observers.Template, renames map[string]string) (other, right string) {
	for wrong, right := range renames {
		from, _ := template.Instance(wrong)
		to, _ := template.Instance(right)
		other := strings.Replace(c.name, "@"+from+".", "@"+to+".", 1)
		if other != c.name && !c.files.name(wrong) {
			return other, right
		}
	}
	return "", ""
}

// isInstalledBy reports whether one of the wrong names would start the unit.
func (c unitCheck) isInstalledBy(renames map[string]string) bool {
	return slices.ContainsFunc(append(c.files.installs(), c.wanters(c.name)...), func(name string) bool {
		_, wrong := renames[name]
		return wrong
	})
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

// chooseProfile tells the user to choose a profile.
func (c unitCheck) chooseProfile(template observers.Template, wrong string) Mend {
	var targets []string
	for _, name := range c.machine.profiles {
		targets = append(targets, template.Target(observers.Escape(name)))
	}
	if len(targets) == 0 {
		return byHand("add a profile to NetworkManager, which has none")
	}
	return byEdit("in "+c.pathNaming(wrong)+", write one of "+strings.Join(targets, ", "), "systemctl --user enable "+systemdctl.Operands(c.name))
}
