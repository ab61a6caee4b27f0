package doctor

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// ownTargets finds targets of ours that are missing or changed for the worse.
func (sys *system) ownTargets() []Finding {
	found := sys.masked()
	reported := map[string]bool{} // templates, whose instances inherit the problem
	for _, name := range sys.targets {
		target := sys.user.unit(name)
		switch {
		case target.load() == "loaded":
			template := templateOf(name)
			if f := sys.overridden(target); f.What != "" && !reported[template] {
				found = append(found, f)
				reported[template] = template != ""
			}
		case target.load() != "masked" && sys.isInstalled(): // otherwise the missing service is the finding
			found = append(found, Finding{
				Unit: name,
				What: fmt.Sprintf("%s cannot be loaded (%s)", name, target.load()),
				Why:  "the bridge can start neither it nor the units that it wants",
				Mend: run(sys.Program + " install --now"),
			})
		}
	}
	return found
}

// overridden finds the ways in which an overriding file or a drop-in keeps a target from
// being active exactly when it should be.
func (sys *system) overridden(target unit) Finding {
	all, _ := readAll(target) // a file that cannot be read is left to a person
	ch := newChange(target, all, sys.placeOf(target, all, dropInName))
	var faults, linked []string
	for _, key := range []string{"Conflicts", "After"} {
		for _, other := range shipped(target.name, key) {
			if !slices.Contains(target.texts(key), other) {
				faults = append(faults, "lacks "+key+"="+other)
				ch.add("Unit", key+"="+other)
			}
		}
	}
	for _, key := range []string{"RefuseManualStart", "RefuseManualStop", "StopWhenUnneeded"} {
		if target.is(key) {
			faults = append(faults, "has "+key+"=yes")
			ch.add("Unit", key+"=no")
		}
	}
	for _, key := range []string{"Requires", "Requisite", "BindsTo", "PartOf"} {
		for _, other := range target.texts(key) {
			switch {
			case slices.Contains(shipped(target.name, key), other):
			case !all.assign("Unit", []string{key}, func(name string) bool { return name == other }):
				linked = append(linked, other)
			default:
				faults = append(faults, "has "+key+"="+other)
				ch.rewrite("Unit", []string{key}, func(_, name string) (string, bool) { return name, name != other })
			}
		}
	}
	for _, other := range target.texts("Conflicts") {
		if slices.Contains(sys.targets, other) && !slices.Contains(shipped(target.name, "Conflicts"), other) {
			faults = append(faults, "has Conflicts="+other)
			ch.rewrite("Unit", []string{"Conflicts"}, func(_, name string) (string, bool) { return name, name != other })
		}
	}
	if len(faults) == 0 && len(linked) > 0 {
		return required(target, linked)
	}
	if len(faults) == 0 {
		return Finding{}
	}
	f := Finding{
		Unit: target.name,
		What: fmt.Sprintf("%s is overridden by %s, which %s", target.name, listed(bases(overriding(target))), listed(faults)),
		Why:  "the target no longer matches the machine: it may not start or stop when it should, or may be active together with its counterpart",
	}
	f.Mend = ch.mend()
	return f
}

// required describes a target that requires units by links, as RequiredBy= makes them.
func required(target unit, others []string) Finding {
	dir, who := target.name+".requires", listed(others)
	return Finding{
		Unit: target.name,
		What: fmt.Sprintf("%s requires %s, through RequiredBy= or a link in %s", target.name, who, dir),
		Why:  "the target does not start if that unit fails, and stops if that unit is stopped, whatever the machine does",
		Mend: byEdit("replace RequiredBy= with WantedBy= in "+who+", and remove the link from "+dir, "systemctl --user enable "+systemdctl.Operands(others...)),
	}
}

// shipped returns a dependency of a target as install writes it.
func shipped(name, key string) []string {
	files, err := systemdctl.UnitFiles("")
	if err != nil {
		return nil
	}
	for _, file := range files {
		if file.Path == name {
			return parse(name, string(file.Content)).names("Unit", key)
		}
	}
	return nil
}

// overriding returns the files that may be at fault.
func overriding(target unit) []string {
	fragment, drops := target.text("FragmentPath"), target.texts("DropInPaths")
	own := readPath(fragment)
	for _, key := range []string{"Conflicts", "After"} {
		for _, other := range shipped(target.name, key) {
			if !slices.Contains(own.names("Unit", key), other) {
				return append([]string{fragment}, drops...)
			}
		}
	}
	if len(drops) > 0 {
		return drops
	}
	return []string{fragment}
}

// bases shortens the paths of drop-ins to their last two parts.
func bases(paths []string) []string {
	short := make([]string, len(paths))
	for i, path := range paths {
		short[i] = path
		if filepath.Ext(path) == ".conf" {
			short[i] = filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))
		}
	}
	return short
}
