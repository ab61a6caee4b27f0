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

// unmask returns how to unmask a unit, given the file that masks it. systemctl unmask
// removes only links, and only where systemctl mask makes them.
func (u user) unmask(path string) Mend {
	unit := systemdctl.Operands(filepath.Base(path))
	if to, err := os.Readlink(path); err != nil || to != os.DevNull {
		return byHand("remove " + path + ", which is empty; then systemctl --user daemon-reload")
	}
	switch {
	case strings.HasPrefix(path, "/run/user/"):
		return run("systemctl --user unmask --runtime " + unit)
	case strings.HasPrefix(path, "/etc/"):
		return run("sudo systemctl --global unmask " + unit + " && systemctl --user daemon-reload")
	case filepath.Dir(path) != u.configuration() && slices.Contains(u.manager.texts("UnitPath"), filepath.Dir(path)):
		return byHand("remove " + path + ", a link to " + os.DevNull + "; then systemctl --user daemon-reload")
	}
	return run("systemctl --user unmask " + unit)
}
