package doctor

import (
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/suggest"
)

const (
	asleep       = "sleep.target"
	shuttingDown = "before-shutdown.target"
)

// counterparts maps unit names that people write, but that the user manager does not have,
// to the targets of ours that they mean.
func counterparts() map[string]string {
	const online = "internet-online.target"
	return map[string]string{
		"network-online.target":                online,
		"network.target":                       online,
		"online.target":                        online,
		"internet.target":                      online,
		"NetworkManager.service":               online,
		"NetworkManager-wait-online.service":   online,
		"systemd-networkd-wait-online.service": online,
		"offline.target":                       "internet-offline.target",
		"network-offline.target":               "internet-offline.target",
		"portal.target":                        "internet-portal.target",
		"suspend.target":                       asleep,
		"hibernate.target":                     asleep,
		"hybrid-sleep.target":                  asleep,
		"suspend-then-hibernate.target":        asleep,
		"systemd-suspend.service":              asleep,
		"poweroff.target":                      shuttingDown,
		"halt.target":                          shuttingDown,
		"reboot.target":                        shuttingDown,
		"kexec.target":                         shuttingDown,
		"soft-reboot.target":                   shuttingDown,
	}
}

// vague returns names that units are often ordered after without need.
func vague() []string { return []string{"network.target", "NetworkManager.service"} }

// systemLogins returns the system manager's targets that start units. The user manager has
// default.target for them.
func systemLogins() []string { return []string{"multi-user.target", "graphical.target"} }

// meant returns the target that a name was meant to be, or "". The names of system units
// are not misspellings.
func (sys *system) meant(name string) string {
	if target := counterparts()[name]; slices.Contains(sys.targets, target) {
		return target
	}
	if slices.Contains(sys.targets, name+".target") {
		return name + ".target"
	}
	stem, isTarget := strings.CutSuffix(name, ".target")
	if !isTarget || sys.isSystemUnit(name) {
		return ""
	}
	var stems []string
	for _, target := range sys.targets {
		stems = append(stems, strings.TrimSuffix(target, ".target"))
	}
	if right, found := suggest.Name(stem, stems); found {
		return right + ".target"
	}
	return ""
}
