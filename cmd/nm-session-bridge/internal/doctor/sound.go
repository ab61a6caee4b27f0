package doctor

import "strings"

// sound names what was looked at.
func (p *patient) sound() []string {
	var parts []string
	if version := p.machine.networkManager.text("Version"); version != "" {
		parts = append(parts, "NetworkManager "+version+" and its connectivity check")
	}
	if p.machine.login1.properties != nil {
		parts = append(parts, "logind")
	}
	if p.user.problem == "" {
		version, _, _ := strings.Cut(p.user.manager.text("Version"), "-")
		parts = append(parts, "user manager "+version, "service", counted(len(p.targets), "target"), counted(len(p.user.own), "unit")+" of yours")
	}
	return parts
}
