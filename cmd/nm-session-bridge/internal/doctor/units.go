package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// pulling returns the settings that start the units that they name.
func pulling() []string { return []string{"BindsTo", "Requires", "Wants", "Upholds"} }

// following returns the settings that stop a unit together with the units that they name.
func following() []string {
	return []string{"PartOf", "Requisite", "StopPropagatedFrom", "BindsTo", "Requires"}
}

func dependencyKeys() []string {
	return []string{"After", "Before", "BindsTo", "Requires", "Wants", "Upholds", "PartOf", "Requisite", "StopPropagatedFrom", "Conflicts"}
}

// namingKeys returns the settings by which units name others.
func namingKeys() []string { return append(dependencyKeys(), installKeys()...) }

// units looks at each of the user's own units.
func (sys *system) units() []Finding {
	found := append(sys.gone(), sys.unread()...)
	for _, name := range sys.user.own {
		u := sys.user.unit(name)
		if slices.Contains(unloadable(), u.load()) {
			found = append(found, sys.broken(u))
		}
		if u.load() == "masked" && slices.Contains(sys.subject.units, name) {
			found = append(found, sys.maskedUnit(u))
		}
		if u.load() != "loaded" {
			continue
		}
		all, err := readAll(u)
		var unread *fs.PathError
		if errors.As(err, &unread) && unread.Op == "open" && errors.Is(err, fs.ErrPermission) {
			found = append(found, forbidden(name, unread.Path, "its lines have no effect, and systemctl cannot enable the unit"))
			continue // without its lines, nobody knows what is wrong
		}
		if err != nil {
			all = nil
		}
		found = append(found, unitCheck{sys, u, all, newChange(u, all, sys.placeOf(u, all, dropInName)), map[string]bool{}}.findings()...)
	}
	return found
}

// unloadable returns the load states of units whose files make no sense.
func unloadable() []string { return []string{"bad-setting", "error"} }

// broken describes what keeps the user manager from loading a unit.
func (sys *system) broken(u unit) Finding {
	f := Finding{
		Unit: u.name,
		What: fmt.Sprintf("%s cannot be loaded (%s)", u.name, u.load()),
		Why:  "nothing can start it",
		Mend: byEdit("find out why with systemd-analyze --user verify " + systemdctl.Operands(u.name) + ", and fix that"),
	}
	if path, isSecond := secondStart(u); isSecond {
		f.What = secondStartOf(u, path)
		f.Mend = sys.emptyFirst(u, path)
	}
	all, _ := readAll(u) // a file that cannot be read is left to systemd-analyze
	c := unitCheck{sys, u, all, newChange(u, all, sys.placeOf(u, all, dropInName)), nil}
	if ignores := c.ignoredLines(); len(ignores) > 0 {
		f.What += strings.Replace(ignores[0].What, u.name, "", 1)
		f.Mend = ignores[0].Mend
	}
	return f
}

// findings returns what is wrong with the unit. One command makes all changes to it.
func (c unitCheck) findings() []Finding {
	found := slices.Concat(c.triggersNothing(), c.circles(), c.connections(), c.unknownNames(), c.uncovers(), c.bindings(), c.unreached(), c.ignoredLines(), c.unstarted(), c.covers(), c.identities(), c.waitsTwice())
	for i := range found {
		found[i].Unit = c.name
		if found[i].Mend == (Mend{}) {
			found[i].Mend = c.change.mend()
		}
	}
	return found
}

// wanters returns the targets of ours that want a unit.
func (sys *system) wanters(name string) []string {
	var targets []string
	for _, target := range sys.targets {
		if slices.Contains(sys.user.unit(target).wants(), name) {
			targets = append(targets, target)
		}
	}
	return targets
}

// unitCheck is the check of one unit.
type unitCheck struct {
	*system
	unit
	files  files
	change *change
	// reported holds the targets that already have a finding, whose command mends the rest as
	// well.
	reported map[string]bool
}

// naming returns the settings in which the unit names another unit, or by which that other
// unit starts it.
func (c unitCheck) naming(other string) []string {
	var keys []string
	for _, key := range namingKeys() {
		named := slices.Contains(c.texts(key), other) || key == "WantedBy" && slices.Contains(c.wanters(c.name), other)
		for _, f := range c.files {
			named = named || slices.Contains(f.names("Unit", key), other) || slices.Contains(f.names("Install", key), other)
		}
		if named {
			keys = append(keys, key)
		}
	}
	return keys
}

// names returns the units that the unit names or is started by, including names that
// systemd rejects.
func (c unitCheck) names() []string {
	names := append(c.files.installs(), c.wanters(c.name)...)
	for _, key := range dependencyKeys() {
		names = append(names, c.texts(key)...)
		for _, f := range c.files {
			names = append(names, f.names("Unit", key)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// missing returns units that the unit's files name and that do not exist.
func (c unitCheck) missing() []string {
	return slices.DeleteFunc(c.names(), func(name string) bool {
		// systemd itself adds names, such as tmp.mount.
		return c.user.unit(name).load() != "not-found" && isUnitName(name) || !c.files.name(name) ||
			slices.Contains(c.targets, name) // ownTargets finds these
	})
}

// unknownNames finds names of system units, and misspelt targets, that keep the unit from
// doing what its file says.
func (c unitCheck) unknownNames() []Finding {
	var ofSystem, misspelt, meant []string
	renames := map[string]string{}
	for _, name := range c.missing() {
		target := c.meantAfter(name)
		if target != afterSleep && c.contradicts(target) {
			target = ""
		}
		switch {
		case c.isSystemUnit(name):
			ofSystem = append(ofSystem, name)
		case target == "":
			continue // an optional dependency on something that is not installed
		default:
			misspelt = append(misspelt, fmt.Sprintf("%s does not exist, but %s does", c.place(name), target))
		}
		renames[name] = target
		if target != "" && c.matters(name) {
			meant = append(meant, target)
		}
	}
	if len(renames) == 0 {
		return nil
	}
	slices.Sort(meant)
	meant = slices.Compact(meant)
	before := c.change.size()
	if !c.follow(meant, renames, !c.isStartedWith(meant)) {
		c.login()
	}
	isInOrder := c.change.size() == before && c.change.instead == Mend{} // the file already names the right target, too
	needless := c.leaveOut(ofSystem)
	if isInOrder && len(needless) == 0 {
		return nil
	}
	if isInOrder {
		return []Finding{{
			What: c.name + ": " + ofSystemManager(c.places(needless, installKeys())),
			Why:  "systemd silently ignores the name, and the unit starts without it",
		}}
	}
	f := Finding{Why: "systemd silently ignores the name: the unit neither waits for it nor starts with it"}
	if c.files.assign("Unit", requiring(), func(name string) bool { _, wrong := renames[name]; return wrong }) {
		f.Why = "the unit cannot start without it"
	}
	if len(ofSystem) > 0 {
		misspelt = append(misspelt, ofSystemManager(c.places(ofSystem, namingKeys())))
	}
	f.What = c.name + ": " + strings.Join(misspelt, "; ")
	for _, target := range meant {
		c.reported[target] = true
	}
	if len(meant) > 0 {
		f.Why += "; " + listed(meant) + " is what a user unit can follow"
	}
	return []Finding{f}
}

// afterSleep is what a unit means that is ordered after a target for sleep: the system
// manager reaches those targets only when the machine is awake again.
const afterSleep = "wake.target"

// meantAfter returns the target that a name in the unit was meant to be.
func (c unitCheck) meantAfter(name string) string {
	switch target := c.meant(name); {
	case target == asleep && name != target && slices.Contains(c.naming(name), "After"):
		return afterSleep
	case target == shuttingDown && slices.Contains(c.files.installs(), "shutdown.target"):
		return "" // which the user manager has
	default:
		return target
	}
}

// contradicts reports whether the counterpart of a target starts the unit. For example,
// internet-portal.target, a counterpart of internet-online.target, starts what signs in to
// a portal.
func (c unitCheck) contradicts(target string) bool {
	starters := append(c.wanters(c.name), c.files.installs()...)
	conflicts := append(c.user.unit(target).texts("Conflicts"), c.user.unit(target).texts("ConflictedBy")...)
	return !slices.Contains(starters, target) && slices.ContainsFunc(starters, func(by string) bool { return slices.Contains(conflicts, by) })
}

// matters reports whether the unit would behave differently if a name existed. An order
// after a merely configured network means nothing by itself, and systemd orders all units
// before a target that wants them anyway.
func (c unitCheck) matters(name string) bool {
	return slices.ContainsFunc(c.naming(name), func(key string) bool {
		switch key {
		case "Before", "Conflicts":
			return false
		case "After":
			return !slices.Contains(vague(), name)
		}
		return true
	})
}

// login makes a unit start at login if only targets of the system manager would start it.
func (c unitCheck) login() {
	if !slices.ContainsFunc(c.files.installs(), func(name string) bool { return slices.Contains(systemLogins(), name) }) || c.isStartedBesides() || c.isStartedOtherwise() {
		return
	}
	c.change.add("Install", "WantedBy=default.target")
	c.change.enables = true
}

// leaveOut takes units of the system manager out of those that [Install] names, where the same
// file also names a target of ours. It returns their names.
func (c unitCheck) leaveOut(ofSystem []string) []string {
	var left []string
	for _, f := range c.files {
		in := files{f}
		if !slices.ContainsFunc(in.installs(), func(name string) bool { return slices.Contains(c.targets, name) }) {
			continue
		}
		for _, name := range in.installs() {
			if slices.Contains(ofSystem, name) && !slices.Contains(left, name) {
				left = append(left, name)
			}
		}
		c.change.rewriteIn(in, "Install", installKeys(), func(_, name string) (string, bool) {
			return name, !slices.Contains(ofSystem, name)
		})
	}
	return left
}

// place returns words for where the unit names another one.
func (c unitCheck) place(name string) string {
	return c.places([]string{name}, namingKeys())[0]
}

// places returns words for which of some settings name other units.
func (c unitCheck) places(names, keys []string) []string {
	places := make([]string, len(names))
	for i, name := range names {
		places[i] = name + " in " + settings(slices.DeleteFunc(c.naming(name), func(key string) bool { return !slices.Contains(keys, key) }))
	}
	return places
}

// ofSystemManager says that units, with their places, are not the user manager's.
func ofSystemManager(places []string) string {
	if len(places) == 1 {
		return places[0] + " is a unit of the system manager, which user units cannot name"
	}
	return listed(places) + " are units of the system manager, which user units cannot name"
}

// bindings finds mistakes in how the unit is bound to each target of ours. That it pulls a
// target up is said even if the target has a finding.
func (c unitCheck) bindings() []Finding {
	var found []Finding
	for _, target := range c.targets {
		if c.reported[target] && len(c.among(pulling(), target)) == 0 {
			continue
		}
		if f := c.binding(target); f.What != "" {
			c.reported[target] = true
			found = append(found, f)
		}
	}
	return found
}

func (c unitCheck) binding(target string) Finding {
	// A unit that is not enabled yet is checked as if it were.
	wanted := slices.Contains(c.user.unit(target).wants(), c.name) || slices.Contains(c.files.installs(), target)
	pulls, follows := c.among(pulling(), target), c.among(following(), target)
	after := slices.Contains(c.texts("After"), target)
	switch {
	case len(pulls) > 0:
		c.follow([]string{target}, nil, !c.isStartedOtherwise() && !slices.Contains(c.files.installs(), target))
		return Finding{
			What: fmt.Sprintf("%s: %s%s pulls in the target", c.name, settings(pulls), target),
			Why:  "starting the unit starts " + target + " as well, and all that it wants, even if the machine is not in that position, until the bridge stops it",
		}
	case wanted && !c.stops(target, follows) && c.follow([]string{target}, nil, false):
		return Finding{
			What: fmt.Sprintf("%s: WantedBy=%s, but nothing stops it", c.name, target),
			Why:  "it keeps running after the target has stopped: WantedBy= only starts it",
		}
	case wanted && len(follows) > 0 && !after && c.follow([]string{target}, nil, false):
		return Finding{
			What: fmt.Sprintf("%s: %s%s without After=%s", c.name, settings(follows), target, target),
			Why:  "the target waits for the unit instead of the reverse; when the target stops, its counterpart starts before the unit has stopped",
		}
	}
	return Finding{}
}

// among returns the settings that name another unit.
func (c unitCheck) among(keys []string, other string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !slices.Contains(c.texts(key), other) })
}

// stops reports whether the unit stops with a target or by itself.
func (c unitCheck) stops(target string, follows []string) bool {
	if len(follows) > 0 || c.isOnce() || c.is("StopWhenUnneeded") || c.outlasts(target) {
		return true
	}
	if slices.Contains(c.momentary(), target) {
		return true // it ends by itself
	}
	if c.user.stopsWith(c.unit, target, longestChain) {
		return true
	}
	return slices.ContainsFunc(c.user.unit(target).texts("Conflicts"), func(counterpart string) bool {
		return slices.Contains(c.targets, counterpart) && slices.Contains(c.texts("Conflicts"), counterpart)
	})
}

// outlasts reports whether the unit may cover the screen, and so must outlast the sleep or
// the closed lid that started it. If it takes something else for a locker, only some advice
// is lost.
func (c unitCheck) outlasts(target string) bool {
	sounding := strings.NewReplacer("block", "", "clock", "", "flock", "")
	return slices.Contains(c.beforeSleep(), target) &&
		slices.ContainsFunc(c.words(), func(word string) bool { return strings.Contains(sounding.Replace(word), "lock") })
}

// stopsWith reports whether a unit stops with another one because of what it follows.
func (u user) stopsWith(one unit, other string, chain int) bool {
	return chain > 0 && slices.ContainsFunc(following(), func(key string) bool {
		return slices.ContainsFunc(one.texts(key), func(name string) bool {
			return name == other || u.stopsWith(u.unit(name), other, chain-1)
		})
	})
}
