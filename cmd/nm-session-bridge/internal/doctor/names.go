package doctor

import (
	"slices"
	"strings"
)

// counterparts maps units that the user manager does not have, but that people
// name in their units, to the targets of ours that they mean.
func counterparts() map[string]string {
	const online, sleep = "internet-online.target", "sleep.target"
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
		"suspend.target":                       sleep,
		"hibernate.target":                     sleep,
		"hybrid-sleep.target":                  sleep,
		"suspend-then-hibernate.target":        sleep,
		"systemd-suspend.service":              sleep,
	}
}

// systemLogins are the system manager's targets that start units, for which the
// user manager has default.target.
func systemLogins() []string { return []string{"multi-user.target", "graphical.target"} }

// meant returns the target that a name was meant to be; "" for none. Names of
// the system manager's are no misspellings.
func (p *patient) meant(name string) string {
	if target := counterparts()[name]; slices.Contains(p.targets, target) {
		return target
	}
	stem, isTarget := strings.CutSuffix(name, ".target")
	if !isTarget || p.isSystemUnit(name) {
		return ""
	}
	best, least := "", len(name)
	for _, target := range p.targets {
		right := strings.TrimSuffix(target, ".target")
		if d := distance(stem, right); d < least && d <= tolerance(right) {
			best, least = target, d
		}
	}
	return best
}

// tolerance is how many letters of a name may be wrong: a third of them.
func tolerance(name string) int { return len(name) / 3 }

// distance counts the letters to insert, take away, change or swap with their
// neighbours to make one word of another (the optimal string alignment).
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
