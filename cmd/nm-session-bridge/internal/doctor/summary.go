package doctor

import "strings"

// summary names what was checked.
func (sys *system) summary() []string {
	parts := []string{} // which JSON shows as an array even if it is empty
	if version := sys.machine.networkManager.text("Version"); version != "" {
		parts = append(parts, "NetworkManager "+version+" and its connectivity check")
	}
	if sys.machine.login1.properties != nil {
		parts = append(parts, "logind")
	}
	if sys.user.problem == "" {
		version, _, _ := strings.Cut(sys.user.manager.text("Version"), "-")
		yours := counted(len(sys.user.own), "unit") + " of yours"
		if !sys.subject.isEmpty() {
			yours = sys.looked()
		}
		parts = append(parts, "user manager "+version, "service", counted(len(sys.targets), "target"), yours)
	}
	return parts
}
