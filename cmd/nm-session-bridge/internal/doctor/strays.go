package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// strays finds units of the system manager that somebody has enabled for a target of ours, which
// that manager does not have.
func (sys *system) strays() []Finding {
	var found []Finding
	for _, dir := range systemUnitPath() {
		for _, link := range matching(dir, "*.wants/*") {
			target, name := strings.TrimSuffix(filepath.Dir(link), ".wants"), systemdctl.Operands(filepath.Base(link))
			isOurs := slices.ContainsFunc(sys.Switches, func(s observers.Switch) bool { return s.Owns(target) })
			if !isOurs || target == asleep || sys.isSystemUnit(target) { // it has a sleep.target of its own
				continue
			}
			f := Finding{
				Unit: filepath.Base(link),
				What: fmt.Sprintf("%s is a unit of the system manager, which has no %s to start it", filepath.Base(link), target),
				Why:  "that target is one of each user's manager, and starts the user's units alone",
				Mend: byEdit("sudo systemctl disable "+name+", and move its file to /etc/systemd/user without its User= and Group=", "systemctl --user enable "+name),
			}
			if !slices.Contains(found, f) { // /lib may be /usr/lib
				found = append(found, f)
			}
		}
	}
	return found
}
