package doctor

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// ownTargets finds targets of ours that are missing or changed for the worse.
func (sys *system) ownTargets() []Finding {
	var found []Finding
	reported := map[string]bool{} // of templates, whose instances inherit it
	for _, name := range sys.targets {
		target := sys.user.unit(name)
		switch {
		case target.load() == "masked":
			found = append(found, Finding{
				Unit: name,
				What: name + " is masked",
				Why:  "the bridge can start neither it nor the units that it wants",
				Mend: run("systemctl --user unmask " + systemdctl.Quote(name)),
			})
		case target.load() == "loaded":
			template := templateOf(name)
			if lacks := faults(target); len(lacks) > 0 && !reported[template] {
				found = append(found, overridden(target, lacks))
				reported[template] = template != ""
			}
		case sys.user.unit(systemdctl.ServiceName).load() != "not-found": // otherwise the missing service is the finding
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

// faults lists the ways in which an overriding file or a drop-in keeps a target from
// being active exactly when it should be.
func faults(target unit) []string {
	var lacks []string
	for _, key := range []string{"Conflicts", "After"} {
		for _, other := range shipped(target.name, key) {
			if !slices.Contains(target.texts(key), other) {
				lacks = append(lacks, "lacks "+key+"="+other)
			}
		}
	}
	for _, key := range []string{"RefuseManualStart", "RefuseManualStop", "StopWhenUnneeded"} {
		if target.is(key) {
			lacks = append(lacks, "has "+key+"=yes")
		}
	}
	for _, key := range []string{"Requires", "Requisite", "BindsTo", "PartOf"} {
		for _, other := range target.texts(key) {
			if !slices.Contains(shipped(target.name, key), other) {
				lacks = append(lacks, "has "+key+"="+other)
			}
		}
	}
	return lacks
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

// overridden returns a finding whose command renames the files that override a target, so
// that systemd ignores them.
func overridden(target unit, lacks []string) Finding {
	fragment := target.text("FragmentPath")
	paths := []string{fragment}
	if drops := target.texts("DropInPaths"); len(drops) > 0 {
		paths = drops
		own := readPath(fragment)
		for _, key := range []string{"Conflicts", "After"} {
			for _, other := range shipped(target.name, key) {
				if !slices.Contains(own.names("Unit", key), other) && !slices.Contains(paths, fragment) {
					paths = append(paths, fragment)
				}
			}
		}
	}
	mend := ""
	for _, path := range paths {
		mend += fmt.Sprintf("mv %s %s && ", systemdctl.Quote(path), systemdctl.Quote(path+"~"))
	}
	return Finding{
		Unit: target.name,
		What: fmt.Sprintf("%s is overridden by %s, which %s", target.name, listed(bases(paths)), listed(lacks)),
		Why:  "the target is no longer active exactly while the machine is as its name says: its counterpart may be active as well, or it does not start or stop",
		Mend: run(mend + "systemctl --user daemon-reload"),
	}
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
