package doctor

import (
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// follow adds to the unit's change what makes it start and stop with targets, by the
// pattern of the README. Renames maps wrong names to right ones, or to "" where there is
// none. With install, the targets will also want the unit. It reports whether anything must
// change.
func (c unitCheck) follow(targets []string, renames map[string]string, install bool) bool {
	before := c.change.size()
	rename := func(name string) string { return name }
	if c.isHeldUp(renames) {
		rename = func(name string) string {
			if other, wrong := renames[name]; wrong {
				return other
			}
			return name
		}
		c.correct(targets, rename)
	}
	for _, target := range targets {
		isTarget := func(name string) bool { return rename(name) == target }
		for _, key := range c.pattern(target, c.refuses(target, rename)) {
			if !slices.Contains(c.texts(key), target) && !c.files.assign("Unit", []string{key}, isTarget) && !c.change.writes(key, target) {
				c.change.add("Unit", key+"="+target)
			}
		}
		if install && !c.isTriggered() && !slices.Contains(c.user.unit(target).wants(), c.name) {
			c.change.enables = c.change.enables || !isTemplate(c.name)
			if !slices.ContainsFunc(c.files.installs(), func(name string) bool { return rename(name) == target }) {
				c.change.add("Install", "WantedBy="+target)
				c.stayWithin(targets, renames)
			}
		}
	}
	if c.change.size() == before {
		return false
	}
	c.beware(targets, rename)
	c.change.starts = c.change.starts || (c.change.enables || c.untried()) && c.isDue(targets, rename)
	return true
}

// stayWithin keeps targets that newly want the unit from starting it while nothing else that
// starts it is active, such as graphical-session.target or a compositor. That takes a condition:
// Requisite= would keep a target active that stops when no unit needs it, and BindsTo= would
// start it. If a wrong name was to start the unit, the file says that the right one does so
// beside other targets of ours, and not within them.
func (c unitCheck) stayWithin(targets []string, renames map[string]string) {
	var within []string
	isBeside := c.isInstalledBy(renames)
	for _, other := range append(c.user.starters(c.unit), c.files.installs()...) {
		_, isWrong := renames[other]
		switch {
		case isWrong, isBeside && slices.Contains(c.targets, other):
		case other == "default.target", slices.Contains(c.momentary(), other), c.user.unit(other).isOnce():
			return // nothing stays active while the unit may start
		case c.user.unit(other).load() == "loaded" && !slices.Contains(targets, other) && !slices.Contains(within, other):
			within = append(within, other)
		}
	}
	if len(within) == 0 || !strings.HasSuffix(c.name, ".service") || slices.ContainsFunc(within, func(other string) bool { return !c.waits(other) }) {
		return
	}
	isWithin := func(name string) bool { return slices.Contains(within, name) }
	for _, other := range within {
		if !slices.Contains(c.texts("After"), other) {
			c.change.add("Unit", "After="+other)
		}
		if len(c.among([]string{"BindsTo", "Requires"}, other)) > 0 && !slices.Contains(c.texts("PartOf"), other) {
			c.change.add("Unit", "PartOf="+other)
		}
	}
	c.change.rewrite("Unit", pulling(), func(_, name string) (string, bool) { return name, !isWithin(name) })
	c.change.add("Service", "ExecCondition=systemctl --user --quiet is-active -- "+strings.ReplaceAll(strings.Join(within, " "), `\`, `\\`))
}

// requiring returns the settings that keep a unit from starting without the units that they
// name.
func requiring() []string { return []string{"Requires", "Requisite", "BindsTo"} }

// isHeldUp reports whether the unit's files name something that a new line cannot undo: a
// target of ours that they pull in, or a wrong name that the unit needs to start or to be enabled.
func (c unitCheck) isHeldUp(renames map[string]string) bool {
	isWrong := func(name string) bool { _, wrong := renames[name]; return wrong }
	return c.files.assign("Unit", pulling(), func(name string) bool { return slices.Contains(c.targets, name) }) ||
		c.files.assign("Unit", requiring(), isWrong) ||
		c.files.assign("Install", installKeys(), func(name string) bool {
			return isWrong(name) && (!isUnitName(name) || strings.Contains(name, " ")) // enable fails
		})
}

// correct replaces wrong names in the unit's files, and removes the targets that it pulls
// in.
func (c unitCheck) correct(targets []string, rename func(string) string) {
	c.change.rewrite("Unit", dependencyKeys(), func(key, name string) (string, bool) {
		name = rename(name)
		pulls := slices.Contains(pulling(), key) && slices.Contains(targets, name)
		return name, name != "" && !pulls
	})
	c.change.rewrite("Install", installKeys(), func(_, name string) (string, bool) {
		if slices.Contains(systemLogins(), name) {
			return name, true
		}
		c.change.enables = c.change.enables || rename(name) != name
		return rename(name), rename(name) != ""
	})
}

// pattern returns the settings in which the unit must name a target.
func (c unitCheck) pattern(target string, refuses bool) []string {
	switch {
	case slices.Contains(c.momentary(), target), c.outlasts(target):
		return nil
	case c.locks(target):
		return []string{"PartOf"} // a locker must be ready before its target is active
	}
	var keys []string
	waits := c.waits(target)
	if waits && (refuses || !c.isOnce()) {
		keys = append(keys, "After")
	}
	if !c.isTriggered() && !c.isOnce() {
		keys = append(keys, "PartOf")
	}
	if waits && refuses { // without After= it would refuse while the target starts
		keys = append(keys, "Requisite")
	}
	return keys
}

func (c unitCheck) waits(target string) bool {
	return slices.Contains(c.texts("After"), target) || c.mayWaitFor(target)
}

// refuses reports whether the unit must not start without a target. It must not if its file
// says so, with the names that rename corrects, or if something starts it that does not
// know the target. It may if the file itself says that both start it.
func (c unitCheck) refuses(target string, rename func(string) string) bool {
	return c.files.assign("Unit", requiring(), func(name string) bool { return rename(name) == target }) ||
		(c.isStartedBesides() || len(c.wanters(c.name)) > 0 && !c.isStartedWith([]string{target})) && !slices.Contains(c.files.installs(), target)
}

// isStartedBesides reports whether something besides targets of ours starts the unit.
func (c unitCheck) isStartedBesides() bool {
	by := slices.Concat(c.files.installs(), c.user.starters(c.unit), c.texts("RequiredBy"), c.texts("BoundBy"))
	return c.isTriggered() || slices.ContainsFunc(by, func(other string) bool {
		return !slices.Contains(c.targets, other) && c.user.unit(other).load() == "loaded"
	})
}

// locks reports whether the units of a target cover the screen.
func (sys *system) locks(target string) bool {
	return slices.ContainsFunc(sys.Switches, func(s observers.Switch) bool { return slices.Contains(s.StartAgain, target) })
}

// beware leaves to a person the changes that would keep something from starting, or stop it
// too early.
func (c unitCheck) beware(targets []string, rename func(string) string) {
	dependents := slices.Concat(c.texts("RequiredBy"), c.texts("BoundBy"), c.texts("RequisiteOf"))
	dependents = slices.DeleteFunc(dependents, func(other string) bool { return slices.Contains(c.targets, other) })
	activators := slices.DeleteFunc(c.activators(), func(other string) bool { return strings.HasSuffix(other, ".timer") })
	switch {
	case len(activators) > 0:
		// If a path or a socket starts a service with Requisite=, systemd 252 and 262 make
		// it fail for good, with trigger-limit-hit.
		c.change.instead = byEdit("add " + listed(c.whole(targets)) + " to " + listed(activators) + " rather than to " + c.name + ", whose refusal to start would make " + listed(activators) + " fail")
	case len(dependents) == 1 && strings.HasSuffix(dependents[0], ".timer") && slices.Contains(c.activators(), dependents[0]):
		keys := slices.DeleteFunc(requiring(), func(key string) bool { return !slices.Contains(c.user.unit(dependents[0]).texts(key), c.name) })
		c.change.instead = byHand("remove " + settings(keys) + c.name + " from " + dependents[0] + ": the timer starts " + c.name + " without that line, and with it " + c.name + " also starts at each login; then " + reload + ", and see what doctor says")
	case len(dependents) > 0:
		c.change.instead = byEdit("add " + listed(c.whole(targets)) + " to " + c.name + ", and also to " + listed(dependents) + ", which cannot start without it")
	}
	for _, target := range targets {
		others := c.others(target)
		switch {
		case c.change.has("Unit", "PartOf="+target) && c.refuses(target, rename) && !c.waits(target) && !c.locks(target):
			who := append(c.texts("Triggers"), c.name)[0]
			words := "add After=" + target + " and Requisite=" + target + " to " + who
			if who != c.name {
				words += ", which " + c.name + " starts"
			} else {
				words += " once it is no longer ordered before the target"
			}
			c.change.instead = byEdit(words)
		case c.change.has("Unit", "PartOf="+target) && len(others) > 0:
			c.change.instead = byEdit("add StopWhenUnneeded=yes to " + c.name + " if it should stop when neither " + target + " nor " + strings.Join(others, " nor ") + " is active, or PartOf= with the targets that should stop it")
		case c.locks(target) && len(c.among(pulling(), target)) > 0 && !slices.Contains(c.wanters(c.name), target) && !slices.Contains(c.files.installs(), target):
			c.change.instead = byEdit("in " + c.text("FragmentPath") + ", run loginctl lock-session if it should lock the screen, and remove " + target + " from " + settings(c.among(pulling(), target)))
		case len(c.among(pulling(), target)) > 0 && !c.files.assign("Unit", pulling(), func(name string) bool { return name == target }):
			c.change.instead = byEdit("remove the link to " + target + " in the directory " + c.name + ".wants or " + c.name + ".requires")
		}
	}
}

// whole returns the lines with which any unit follows targets.
func (c unitCheck) whole(targets []string) []string {
	var lines []string
	for _, target := range targets {
		lines = append(lines, "After="+target, "PartOf="+target, "WantedBy="+target)
	}
	return lines
}

// others returns other targets of ours that start the unit, stay active and do not stop it.
func (c unitCheck) others(target string) []string {
	return slices.DeleteFunc(slices.Clone(c.targets), func(other string) bool {
		return other == target || slices.Contains(c.momentary(), other) || len(c.among(following(), other)) > 0 ||
			!slices.Contains(c.wanters(c.name), other) && !slices.Contains(c.files.installs(), other)
	})
}

// isDue reports whether the unit must be started now because its target is active already.
// A unit that runs once waits for the next time.
func (c unitCheck) isDue(targets []string, rename func(string) string) bool {
	if c.active() || c.isOnce() || c.is("RefuseManualStart") {
		return false
	}
	needs := func(name string) bool {
		isKept := rename(name) != name || !c.change.drops(name)
		name = rename(name)
		return name != "" && isKept && !c.user.unit(name).active()
	}
	refused := func(line string) bool {
		name, requires := strings.CutPrefix(line, "Requisite=")
		return requires && needs(name)
	}
	if c.files.assign("Unit", requiring(), needs) || slices.ContainsFunc(c.change.lines["Unit"], refused) {
		return false
	}
	for _, name := range append(c.files.installs(), targets...) {
		if target := rename(name); slices.Contains(c.targets, target) && c.user.unit(target).active() {
			return true
		}
	}
	return false
}
