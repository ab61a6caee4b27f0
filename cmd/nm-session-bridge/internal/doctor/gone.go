package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// gone finds units that a target of ours wants by a link, and that do not exist.
func (sys *system) gone() []Finding {
	var found []Finding
	for _, target := range sys.targets {
		for _, name := range sys.user.unit(target).wants() {
			if sys.user.unit(name).load() != "not-found" || sys.user.unit(name).text("ActiveState") == "failed" {
				continue // failures finds the latter
			}
			f := Finding{Unit: name, Why: "there is no such unit, and nothing starts"}
			if path, to := sys.user.dangling(name); path != "" {
				f.What = fmt.Sprintf("%s, which %s wants, is a link to %s, which does not exist", name, target, to)
				f.Mend = byEdit("put its file there, or remove " + path)
				found = append(found, f)
				continue
			}
			link, to := sys.user.startLink(target, name)
			switch {
			case link == "":
				continue // a file of the target's names it, perhaps as an option
			case exists(link) && sys.hasFile(filepath.Base(to)):
				f.What = fmt.Sprintf("%s, which %s wants, does not exist: the link of that name leads to %s", name, target, filepath.Base(to))
				f.Why = "systemd reads only the name of a link in " + filepath.Base(filepath.Dir(link))
				f.Mend = byHand("remove the link " + link + "; then " + reload + ", and see what doctor says of " + filepath.Base(to))
			case exists(link):
				f.What = fmt.Sprintf("%s, which %s wants, is no unit: its file %s is not in a directory of units", name, target, to)
				f.Why = "systemd reads only the name of a link in " + filepath.Base(filepath.Dir(link))
				f.Mend = sys.linkUnit(name, to)
			default:
				f.What = fmt.Sprintf("%s, which %s wants, does not exist", name, target)
				f.Mend = byEdit("write its file again, or remove the link " + link)
			}
			found = append(found, f)
		}
	}
	return found
}

// linkUnit makes a file a unit.
func (sys *system) linkUnit(name, file string) Mend {
	if templateOf(name) != "" || filepath.Base(file) != name {
		return byEdit("put the unit's file into " + sys.user.configuration())
	}
	return run("systemctl --user link " + systemdctl.Operands(file))
}

// startLink returns the link of the user's by which one unit starts another, and the file that
// it leads to.
func (u user) startLink(by, name string) (link, to string) {
	for _, dir := range u.manager.texts("UnitPath") {
		for _, kind := range []string{".wants", ".requires", ".upholds"} {
			link := filepath.Join(dir, by+kind, name)
			to, err := os.Readlink(link)
			if err != nil || !isOwnPath(link) {
				continue
			}
			if !filepath.IsAbs(to) {
				to = filepath.Join(filepath.Dir(link), to)
			}
			return link, to
		}
	}
	return "", ""
}

// triggersNothing finds a timer, a path or a socket whose unit does not exist.
func (c unitCheck) triggersNothing() []Finding {
	for _, name := range c.texts("Triggers") {
		by := slices.Concat(c.user.starters(c.unit), c.wanters(c.name), c.files.installs())
		if c.user.unit(name).load() != "not-found" || len(by) == 0 {
			continue
		}
		kind := strings.TrimPrefix(filepath.Ext(c.name), ".")
		f := Finding{
			What: fmt.Sprintf("%s: %s, which it starts, does not exist", c.name, name),
			Why:  "systemd refuses to start the " + kind,
		}
		key := "Unit="
		if kind == "socket" {
			key = "Service="
		}
		words := "write " + name + ", or name another unit with " + key + " in " + c.name
		if meant, found := similar(name, c.services()); found {
			words += ", such as " + meant
		}
		c.change.instead = byEdit(words, "systemctl --user start "+systemdctl.Operands(c.name))
		f.Mend = c.change.instead // which other findings may replace
		return []Finding{f}
	}
	return nil
}

// services returns the user's own services.
func (sys *system) services() []string {
	return slices.DeleteFunc(slices.Clone(sys.user.own), func(name string) bool { return filepath.Ext(name) != ".service" })
}
