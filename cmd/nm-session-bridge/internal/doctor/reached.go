package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// unreached finds a target of ours that the unit is bound to, but that does not start it.
func (c unitCheck) unreached() []Finding {
	if c.isStartedOtherwise() {
		return nil
	}
	if f := c.misplaced(); f.What != "" {
		return []Finding{f}
	}
	installs := c.files.installs()
	for _, key := range []string{"", "PartOf", "Requisite", "BindsTo", "Requires", "Wants", "Upholds", "After"} {
		for _, target := range c.targets {
			installed := slices.Contains(installs, target)
			switch {
			case c.user.unit(target).load() == "not-found": // the units that it wants are unknown
			case key == "" && installed:
				return []Finding{c.notEnabled(c.installing(target), target, true)}
			case key != "" && slices.Contains(c.texts(key), target) && !c.reported[target]:
				return []Finding{c.notEnabled(key, target, false)}
			}
		}
	}
	for _, target := range installs {
		if c.isReached(target, longestChain) {
			return []Finding{c.notEnabled(c.installing(target), target, true)}
		}
	}
	return nil
}

// misplaced finds a line that should enable the unit, but does not stand under [Install] or is
// spelt wrongly, such as Wantedby=.
func (c unitCheck) misplaced() Finding {
	for _, f := range c.files {
		for _, s := range f.settings {
			i := slices.IndexFunc(installKeys(), func(key string) bool { return strings.EqualFold(key, s.key) })
			if i < 0 || s.section == "Install" && s.key == installKeys()[i] {
				continue
			}
			for _, name := range s.names {
				target := name
				if !slices.Contains(c.targets, name) {
					target = c.meant(name)
				}
				if !slices.Contains(c.targets, target) || !c.follow([]string{target}, nil, true) {
					continue
				}
				c.reported[target] = true
				return Finding{
					What: fmt.Sprintf("%s: systemd ignores %s=%s under [%s]", c.name, s.key, name, s.section),
					Why:  "nothing starts the unit when the target is reached; WantedBy= under [Install] does, once the unit is enabled",
				}
			}
		}
	}
	return Finding{}
}

// installing returns the setting in [Install] that names a target.
func (c unitCheck) installing(target string) string {
	keys := installKeys()
	i := slices.IndexFunc(keys, func(key string) bool {
		return c.files.assign("Install", []string{key}, func(name string) bool { return name == target })
	})
	return keys[max(i, 0)]
}

// longestChain is how many of the user's own targets may lie between one of ours and the
// unit that it starts.
const longestChain = 5

// isReached reports whether a target of ours starts one of the user's own units, directly or
// through others, once that unit is enabled.
func (sys *system) isReached(name string, chain int) bool {
	if chain == 0 || !slices.Contains(sys.user.own, name) {
		return false
	}
	u := sys.user.unit(name)
	all, _ := readAll(u) // a file that cannot be read names nothing
	return slices.ContainsFunc(slices.Concat(all.installs(), sys.user.starters(u), sys.wanters(name)), func(by string) bool {
		return slices.Contains(sys.targets, by) || sys.isReached(by, chain-1)
	})
}

// starters returns the units that start a unit with themselves, and can do without it. The
// manager knows only those that are loaded.
func (u user) starters(one unit) []string {
	return slices.Concat(one.texts("WantedBy"), one.texts("UpheldBy"), u.links[one.name])
}

// isStartedOtherwise reports whether something starts the unit, or needs it, besides what starts
// once: a login, a desktop or a compositor.
func (c unitCheck) isStartedOtherwise() bool {
	needed := slices.Concat(c.texts("RequiredBy"), c.texts("BoundBy"))
	return len(c.wanters(c.name)) > 0 || c.isTriggered() ||
		slices.ContainsFunc(needed, func(other string) bool { return !strings.HasSuffix(other, ".target") }) ||
		slices.ContainsFunc(append(needed, c.user.starters(c.unit)...), func(other string) bool { return c.isReached(other, longestChain) })
}

// isStartedWith reports whether something starts the unit when some targets are reached, or on
// another occasion that is its own.
func (c unitCheck) isStartedWith(targets []string) bool {
	by := c.wanters(c.name)
	if slices.Contains(targets, afterSleep) && !slices.Contains(by, afterSleep) {
		return c.isTriggered() // nothing else is started after a sleep
	}
	return c.isStartedOtherwise() && (len(by) == 0 || c.isOnce() || slices.ContainsFunc(by, func(other string) bool {
		return slices.Contains(targets, other) || slices.Contains(c.momentary(), other)
	}))
}

// activators returns the units, such as timers, that start the unit. The manager knows the
// user's own activators only while both units are loaded.
func (c unitCheck) activators() []string {
	activators := slices.Clone(c.texts("TriggeredBy"))
	for _, other := range c.user.own {
		if slices.Contains(c.user.unit(other).texts("Triggers"), c.name) && !slices.Contains(activators, other) {
			activators = append(activators, other)
		}
	}
	return activators
}

func (c unitCheck) isTriggered() bool { return len(c.activators()) > 0 }

// inPlaceOfLink returns what keeps systemctl from making the link that enables the unit, and what
// it should be: a file of the unit's name, which systemd does not count, or one of the directory's.
func (c unitCheck) inPlaceOfLink(key, target string) (path, should string) {
	kinds := map[string]string{"WantedBy": ".wants", "RequiredBy": ".requires", "UpheldBy": ".upholds"}
	dir := filepath.Join(c.user.configuration(), target+kinds[key])
	link := filepath.Join(dir, c.name)
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return dir, "directory"
	}
	if info, err := os.Lstat(link); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return link, "link"
	}
	return "", ""
}

func (c unitCheck) notEnabled(key, target string, installed bool) Finding {
	if installed {
		if key == "RequiredBy" {
			c.change.instead = byEdit("replace RequiredBy= with WantedBy= in "+c.name+", whose failure would keep "+target+" from starting", "systemctl --user enable "+systemdctl.Operands(c.name))
		}
		if path, should := c.inPlaceOfLink(key, target); path != "" {
			c.change.instead = byEdit("move "+path+" away, because it is not a "+should, "systemctl --user enable "+systemdctl.Operands(c.name))
		}
		c.change.enables = true
		c.change.starts = c.change.starts || c.user.unit(target).active()
		return Finding{
			What: fmt.Sprintf("%s: %s=%s, but the unit is not enabled", c.name, key, target),
			Why:  "nothing starts it when the target is reached",
		}
	}
	c.follow([]string{target}, nil, true)
	return Finding{
		What: fmt.Sprintf("%s: %s=%s, but the target does not want it", c.name, key, target),
		Why:  fmt.Sprintf("%s= does not start it when the target is reached; WantedBy= in [Install] does", key),
	}
}
