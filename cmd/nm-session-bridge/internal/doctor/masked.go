package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// masked finds targets of ours that are masked, including templates, and instances that are
// not loaded.
func (sys *system) masked() []Finding {
	var found []Finding
	for _, file := range sys.user.files {
		name := filepath.Base(file.Path)
		isOurTemplate := slices.ContainsFunc(sys.Switches, func(s observers.Switch) bool { return s.HasTemplate() && s.Template.Target("") == name })
		if !strings.HasPrefix(file.State, "masked") || !slices.Contains(sys.targets, name) && !sys.isInstance(name) && !isOurTemplate {
			continue
		}
		f := Finding{
			Unit: name,
			What: name + " is masked",
			Why:  "the bridge can start neither it nor the units that it wants",
			Mend: sys.user.unmask(file.Path),
		}
		if isOurTemplate {
			f.Why = "the bridge can start none of its instances, nor the units that they want"
		}
		found = append(found, f)
	}
	return found
}

// maskedUnit describes a masked unit.
func (sys *system) maskedUnit(u unit) Finding {
	f := Finding{Unit: u.name, What: u.name + " is masked", Why: "nothing can start it"}
	path := sys.user.mask(u.name)
	if path == "" {
		path = sys.user.mask(templateOf(u.name))
		f.What = u.name + " is masked with its template"
	}
	f.Mend = sys.user.unmask(path)
	return f
}

// mask returns the file that masks a unit.
func (u user) mask(name string) string {
	for _, file := range u.files {
		if filepath.Base(file.Path) == name {
			return file.Path
		}
	}
	return ""
}

// unmask returns how to unmask a unit, given the file that masks it.
func (u user) unmask(mask string) Mend {
	if command := systemdctl.Unmask(mask, u.configuration()); command != "" {
		return run(command)
	}
	kind := "which is empty"
	if to, err := os.Readlink(mask); err == nil {
		kind = "a link to " + to
	}
	return byEdit("remove " + mask + ", " + kind)
}

// hidesAFile reports whether a mask hides a file that the user manager would load instead.
func (u user) hidesAFile(mask string) bool {
	is, err := os.Lstat(mask)
	return err == nil && slices.ContainsFunc(u.manager.texts("UnitPath"), func(dir string) bool {
		other, err := os.Lstat(filepath.Join(dir, filepath.Base(mask)))
		return err == nil && !os.SameFile(is, other)
	})
}
