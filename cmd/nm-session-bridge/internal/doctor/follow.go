package doctor

import "slices"

// follow returns the command that makes a unit start and stop with targets, by the pattern
// of the README. Renames maps wrong names to right ones, or to "" to remove them. With
// install the unit also becomes wanted by the targets.
func (c unitCheck) follow(targets []string, renames map[string]string, install bool) string {
	edit := newEdits(c.name, c.files)
	triggered := c.isTriggered()
	rename := func(name string) string {
		if other, wrong := renames[name]; wrong {
			return other
		}
		return name
	}
	edit.rewrite("Unit", dependencyKeys(), func(key, name string) (string, bool) {
		name = rename(name)
		pulls := slices.Contains(pulling(), key) && slices.Contains(targets, name)
		return name, name != "" && !pulls
	})
	var lines []string
	for _, target := range targets {
		for _, key := range c.pattern(target, triggered) {
			if !slices.ContainsFunc(c.texts(key), func(name string) bool { return rename(name) == target }) {
				lines = append(lines, key+"="+target)
			}
		}
	}
	edit.add("Unit", lines...)
	c.installInto(edit, targets, rename, install && !triggered)
	edit.starts = (edit.links || c.untried()) && c.isDue(targets, rename)
	return edit.command()
}

// isDue reports whether the unit must be started now because its target is active already.
// A unit that runs once waits for the next time.
func (c unitCheck) isDue(targets []string, rename func(string) string) bool {
	if c.active() || c.isOnce() {
		return false
	}
	for _, f := range c.files {
		for _, name := range f.names("Unit", "Requisite") {
			if !c.user.unit(rename(name)).active() {
				return false
			}
		}
	}
	for _, name := range append(c.files.installs(), targets...) {
		if target := rename(name); slices.Contains(c.targets, target) && c.user.unit(target).active() {
			return true
		}
	}
	return false
}

// pattern returns the settings in which the unit must name a target.
func (c unitCheck) pattern(target string, triggered bool) []string {
	switch {
	case triggered:
		return []string{"After", "Requisite"}
	case c.isOnce(), slices.Contains(c.momentary(), target):
		return nil
	}
	return []string{"After", "PartOf", "Requisite"}
}

// installInto renames targets in [Install], and replaces the targets of a login by ours.
func (c unitCheck) installInto(edit *edits, targets []string, rename func(string) string, install bool) {
	logins := append(systemLogins(), "default.target", "graphical-session.target")
	missing := slices.DeleteFunc(slices.Clone(targets), func(target string) bool {
		return !install || slices.ContainsFunc(c.files.installs(), func(name string) bool { return rename(name) == target })
	})
	edit.links = install
	edit.rewrite("Install", installKeys(), func(_, name string) (string, bool) {
		isLogin, isWrong := slices.Contains(logins, name), rename(name) != name
		edit.links = edit.links || isWrong
		switch {
		case isLogin && len(missing) > 0:
			name, missing = missing[0], missing[1:]
			return name, true
		case isWrong && slices.Contains(systemLogins(), name):
			return "default.target", true
		}
		return rename(name), rename(name) != ""
	})
	for _, target := range missing {
		edit.add("Install", "WantedBy="+target)
	}
}
