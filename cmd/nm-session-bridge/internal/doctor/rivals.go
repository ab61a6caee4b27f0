package doctor

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// rivals returns services that start the targets of lock and sleep as the bridge does:
// systemd-lock-handler and its forks.
func (u user) rivals() []string {
	var names []string
	for _, file := range u.files {
		if name := filepath.Base(file.Path); strings.HasSuffix(name, "lock-handler.service") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// rivalry finds rivals that run, or will run after the next login.
func (sys *system) rivalry() []Finding {
	isOff := func(name string) bool { return sys.user.bridge.text(client.PropertyOf(name)) == client.Off }
	if isOff("lock") && isOff("sleep") {
		return nil
	}
	var found []Finding
	for _, name := range sys.user.rivals() {
		rival := sys.user.unit(name)
		if rival.load() != "loaded" || !rival.active() && !strings.HasPrefix(rival.state(), "enabled") {
			continue
		}
		found = append(found, Finding{
			Unit: name,
			What: name + " does the same as " + systemdctl.ServiceName,
			Why:  "both programs start and stop lock.target, unlock.target and sleep.target: lockers start twice, and each program undoes what the other has done",
			Mend: sys.dismiss(rival),
		})
	}
	return found
}

// dismiss stops a service for good. systemctl disable would delete the link that a unit's file
// may be, and a mask cannot take the place of a file.
func (sys *system) dismiss(u unit) Mend {
	name := systemdctl.Operands(u.name)
	if path := u.text("FragmentPath"); filepath.Dir(path) == sys.user.configuration() {
		return byEdit("systemctl --user stop " + name + ", and remove " + path + " and the links to it")
	}
	return run("systemctl --user mask --now " + name)
}
