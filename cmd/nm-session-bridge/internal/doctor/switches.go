package doctor

import (
	"fmt"
	"slices"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// switches finds switches that do not follow the machine. Such a switch is held by hand,
// or it is left out although one of the user's units follows one of its targets.
func (sys *system) switches() []Finding {
	var found []Finding
	held := property[map[string]string](sys.user.bridge, client.OverridesProperty)
	for _, s := range sys.Switches {
		position, isHeld := held[s.Name]
		switch {
		case sys.user.bridge.text(client.PropertyOf(s.Name)) == client.Off:
			if waiting := sys.waiting(s); len(waiting) > 0 {
				found = append(found, Finding{
					What: fmt.Sprintf("the switch %s is switched off by --switches, but %s would follow it", s.Name, few(waiting)),
					Why:  "the bridge leaves its targets as they are: nothing starts or stops with them",
					Mend: byHand("add " + s.Name + " with systemctl --user edit " + systemdctl.ServiceName + ", then systemctl --user restart " + systemdctl.ServiceName),
				})
			}
		case isHeld && sys.isAbout(s):
			found = append(found, Finding{
				What: fmt.Sprintf("%s is held %s by hand", s.Name, position),
				Why:  "its targets follow nothing until you release it or log out",
				Mend: run(sys.Program + " set " + s.Name + " auto"),
			})
		}
	}
	return found
}

// isAbout reports whether the targets of a switch are in question.
func (sys *system) isAbout(s observers.Switch) bool {
	return sys.subject.isEmpty() || slices.ContainsFunc(sys.subject.related, s.Owns)
}

// waiting returns the user's units that a target of a switch starts or stops.
func (sys *system) waiting(s observers.Switch) []string {
	return slices.DeleteFunc(slices.Clone(sys.user.own), func(name string) bool {
		if !sys.concerns(name) {
			return true
		}
		bound := sys.wanters(name)
		for _, key := range following() {
			bound = append(bound, sys.user.unit(name).texts(key)...)
		}
		return !slices.ContainsFunc(bound, s.Owns)
	})
}
