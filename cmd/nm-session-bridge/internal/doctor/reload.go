package doctor

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// reload finds units whose files changed after the user manager read them.
func (sys *system) reload() []Finding {
	var changed []string
	for _, name := range slices.Concat([]string{systemdctl.ServiceName}, sys.targets, sys.user.own) {
		if !sys.concerns(name) {
			continue
		}
		if u := sys.user.unit(name); u.load() == "loaded" && (u.is("NeedDaemonReload") || sys.user.hasNewDropIn(u)) {
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	apply := reload
	if changed[0] == systemdctl.ServiceName && sys.user.unit(changed[0]).active() {
		apply = anew // it disturbs no unit
	}
	return []Finding{{
		What: few(changed) + " changed on disk, and the user manager has not read the changes",
		Why:  "the changes have no effect yet",
		Mend: run(apply),
	}}
}

// hasNewDropIn reports whether a unit has a drop-in that the user manager has not read. For
// a new drop-in, systemd 252 does not set NeedDaemonReload.
func (u user) hasNewDropIn(one unit) bool {
	known := one.texts("DropInPaths")
	for _, dir := range u.manager.texts("UnitPath") {
		folder := filepath.Join(dir, one.name+".d")
		for _, name := range matching(folder, "*.conf") {
			isKnown := slices.ContainsFunc(known, func(other string) bool { return filepath.Base(other) == name })
			if info, err := os.Stat(filepath.Join(folder, name)); err == nil && info.Mode().IsRegular() && !isKnown {
				return true
			}
		}
	}
	return false
}
