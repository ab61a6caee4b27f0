package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/suggest"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// subject is what the caller asks about. It is empty if that is all of the user's units.
type subject struct {
	// name is the name of a unit or a template. It is "" if the caller gives only the path of
	// a file from which a generator makes a unit.
	name, path string
	// units are the units to look at: the unit itself, or the template's instances.
	units []string
	// related are the units whose findings matter to them.
	related []string
}

// subjectOf returns the subject of a name, which may lack ".service", or of a file's path.
func subjectOf(asked string) subject {
	if !strings.Contains(asked, "/") {
		return subject{name: unitName(asked)}
	}
	path, err := filepath.Abs(asked)
	if err != nil {
		path = asked // as far as it is known
	}
	name := filepath.Base(path)
	if dir, changes := strings.CutSuffix(filepath.Base(filepath.Dir(path)), ".d"); changes && filepath.Ext(name) == ".conf" {
		name = dir
	}
	if !isUnitName(name) {
		name = ""
	}
	return subject{name: name, path: path}
}

// unitName completes the name of a unit as systemctl does: a name without a suffix is a
// service's.
func unitName(name string) string {
	if name == "" || isUnitName(name) {
		return name
	}
	return name + ".service"
}

// isTemplate reports whether a name is a template's.
func isTemplate(name string) bool {
	_, rest, found := strings.Cut(name, "@")
	return found && rest == filepath.Ext(name)
}

// trial is the instance by which a template without instances is examined.
const trial = "nm-session-bridge-doctor"

// trialOf returns the trial instance of a template, and any other name as it is.
func trialOf(name string) string {
	if !isTemplate(name) {
		return name
	}
	return strings.Replace(name, "@.", "@"+trial+".", 1)
}

func (s subject) isEmpty() bool { return s.name == "" && s.path == "" }

// isTrial reports whether a name comes from a trial instance.
func isTrial(name string) bool { return strings.Contains(name, trial) }

// toAsk returns the names to ask the user manager for: the unit, or the template's instances,
// or the template itself if it has none.
func (s subject) toAsk(u *user, loaded []systemd.UnitStatus) []string {
	if s.name == "" {
		return nil
	}
	var instances []string
	if isTemplate(s.name) {
		for _, l := range loaded {
			instances = append(instances, l.Name)
		}
		for _, dir := range u.manager.texts("UnitPath") {
			for _, link := range matching(dir, "*/*@*") {
				instances = append(instances, filepath.Base(link))
			}
		}
		instances = slices.DeleteFunc(instances, func(name string) bool { return isTemplate(name) || templateOf(name) != s.name })
	}
	if len(instances) == 0 {
		return []string{s.name}
	}
	slices.Sort(instances)
	return slices.Compact(instances)
}

// NoUnitError says that the caller asks about something that is no unit.
type NoUnitError struct{ words string }

func (e *NoUnitError) Error() string { return e.words }

// settle finds the subject's units among those that the user manager was asked for.
func (sys *system) settle() error {
	s := &sys.subject
	if s.isEmpty() || sys.user.problem != "" {
		return nil
	}
	if s.path != "" {
		if _, err := os.Stat(s.path); err != nil {
			return &NoUnitError{"cannot look at a file: " + err.Error()}
		}
	}
	asked := s.units
	s.units = nil
	for _, name := range append(asked, sys.user.own...) {
		u := sys.user.unit(name)
		id := u.text("Id") // a unit may have several names
		isMeant := slices.Contains(asked, name)
		if s.path != "" {
			isMeant = u.isMadeFrom(s.path)
		}
		if isMeant && id != "" && u.load() != "not-found" && !slices.Contains(s.units, id) {
			s.units = append(s.units, id)
		}
	}
	if len(s.units) == 0 {
		return sys.noUnit()
	}
	s.related = sys.around(s.units)
	return nil
}

// isMadeFrom reports whether a file is one of the unit's, or what a generator makes it from.
func (u unit) isMadeFrom(path string) bool {
	file, err := os.Stat(path)
	return err == nil && slices.ContainsFunc(append([]string{u.text("FragmentPath"), u.text("SourcePath")}, u.texts("DropInPaths")...), func(known string) bool {
		other, err := os.Stat(known)
		return err == nil && os.SameFile(file, other)
	})
}

// noUnit says why the subject is no unit, if that can be seen.
func (sys *system) noUnit() error {
	s := sys.subject
	if s.path != "" {
		words := "the user manager makes no unit of " + s.path
		switch fragment := sys.user.unit(s.name).text("FragmentPath"); {
		case fragment != "":
			words += ": it reads " + fragment
		case s.name != "" && filepath.Base(s.path) != s.name:
			words += ", because there is no " + s.name
		case rightSpelling(s.name) != s.name:
			words += ", because units cannot have that name; " + rightSpelling(s.name) + " would do"
		case s.name != "":
			words += ", but would after systemctl --user link " + systemdctl.Operands(s.path)
		}
		return &NoUnitError{words}
	}
	words := "no unit is called " + s.name
	if path, to := sys.user.dangling(s.name); path != "" {
		return &NoUnitError{words + ": " + path + " is a link to " + to + ", which does not exist"}
	}
	for _, dir := range sys.user.manager.texts("UnitPath") {
		folder := filepath.Join(dir, s.name+".d")
		if changes := matching(folder, "*.conf"); len(changes) > 0 {
			return &NoUnitError{words + ", which " + filepath.Join(folder, changes[0]) + " would change"}
		}
	}
	for _, f := range append(sys.gone(), sys.unread()...) {
		if f.Unit == s.name {
			return &NoUnitError{words + ": " + f.What}
		}
	}
	known := slices.Clone(sys.user.own)
	for _, file := range sys.user.files {
		if name := filepath.Base(file.Path); isTemplate(name) {
			known = append(known, name)
		}
	}
	if meant, found := similar(s.name, append(known, sys.targets...)); found {
		words += ", did you mean " + meant + "?"
	}
	return &NoUnitError{words}
}

// similar finds the unit that was probably meant: one of the same kind with a similar name, or
// one of another kind with the same name.
func similar(unit string, known []string) (meant string, found bool) {
	kind := filepath.Ext(unit)
	name := strings.TrimSuffix(unit, kind)
	var names []string
	for _, other := range known {
		of := filepath.Ext(other)
		switch {
		case of == kind:
			names = append(names, strings.TrimSuffix(other, kind))
		case strings.TrimSuffix(other, of) == name:
			meant = other
		}
	}
	if meant != "" {
		return meant, true
	}
	name, found = suggest.Name(name, names)
	return name + kind, found
}

// around returns the units whose findings matter to some units: these themselves, and the
// targets of ours that they name, also through other units of the user's.
func (sys *system) around(units []string) []string {
	var related []string
	_ = walk(units, func(name string) ([]string, error) {
		switch {
		case slices.Contains(sys.targets, name) || sys.isInstance(name):
			related = append(related, name, templateOf(name))
			return nil, nil
		case name == podmanWait:
			related = append(related, name)
			return nil, nil
		case !slices.Contains(sys.user.own, name):
			return nil, nil
		}
		u := sys.user.unit(name)
		all, _ := readAll(u) // a file that cannot be read names nothing
		c := unitCheck{system: sys, unit: u, files: all}
		return slices.Concat(c.names(), sys.user.starters(u), c.activators()), nil
	})
	return append(related, units...)
}

// concerns reports whether findings about a unit are about the subject. Those about none are
// about the machine.
func (sys *system) concerns(unit string) bool {
	return sys.subject.isEmpty() || unit == "" || unit == systemdctl.ServiceName || slices.Contains(sys.subject.related, unit)
}

// looked names the subject, and says what it waits for.
func (sys *system) looked() string {
	s := sys.subject
	units := make([]string, len(s.units))
	for i, name := range s.units {
		units[i] = name + sys.waitsFor(name)
	}
	if !isTemplate(s.name) || len(s.units) == 0 {
		return listed(units)
	}
	if s.units[0] == s.name {
		return "the template " + s.name + ", of which there is no instance"
	}
	return listed(units) + " of the template " + s.name
}

// waitsFor says which positions an inactive unit waits for. It returns "" if the unit waits for
// none.
func (sys *system) waitsFor(name string) string {
	targets := sys.wanters(name)
	if sys.user.unit(name).text("ActiveState") != "inactive" || len(targets) == 0 ||
		slices.ContainsFunc(targets, func(target string) bool { return sys.user.unit(target).active() }) {
		return ""
	}
	var positions []string
	for _, target := range targets {
		positions = append(positions, sys.positionOf(target))
	}
	return ", which waits for " + strings.Join(positions, " or ")
}

// positionOf describes the position of a switch that has a target, and the switch's present one.
func (sys *system) positionOf(target string) string {
	for _, s := range sys.Switches {
		if instance, isInstance := s.Template.Instance(target); isInstance {
			profile, _ := observers.Unescape(instance) // as far as it is escaped
			return fmt.Sprintf("the %s %q", s.Name, profile)
		}
		for _, position := range s.Positions {
			if !slices.Contains(position.Targets, target) {
				continue
			}
			words := s.Name + " to be " + position.Name
			if now := sys.user.bridge.text(client.PropertyOf(s.Name)); now != "" {
				words += " (now " + now + ")"
			}
			return words
		}
	}
	return target
}
