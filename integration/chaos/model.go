package chaos

import "slices"

// aspect is a switch as the model knows it.
type aspect struct {
	name string
	// targets holds, by position, those that are active in it.
	targets map[string][]string
}

// unknown is the position of a switch that nothing is known of.
const unknown = ""

// aspects lists the switches of the bridge.
func aspects() []aspect {
	return []aspect{
		{"internet", map[string][]string{
			"online":  {"internet-online.target"},
			"offline": {"internet-offline.target"},
			"portal":  {"internet-offline.target", "internet-portal.target"},
		}},
		{"lid", map[string][]string{
			"open":   {"lid-open.target"},
			"closed": {"lid-closed.target"},
		}},
		{"sleep", map[string][]string{
			"awake":  nil,
			"asleep": {"sleep.target"},
		}},
	}
}

// pairs are the targets that conflict.
func pairs() [][2]string {
	return [][2]string{
		{"internet-online.target", "internet-offline.target"},
		{"internet-online.target", "internet-portal.target"},
		{"lid-open.target", "lid-closed.target"},
	}
}

// all returns the targets of the switch.
func (a aspect) all() []string {
	var all []string
	for _, targets := range a.targets {
		for _, target := range targets {
			if !slices.Contains(all, target) {
				all = append(all, target)
			}
		}
	}
	slices.Sort(all)
	return all
}

// wants tells whether a target is active in a position.
func (a aspect) wants(position, target string) bool {
	return slices.Contains(a.targets[position], target)
}

// aspectOf returns the switch that has a target.
func aspectOf(target string) (aspect, bool) {
	for _, a := range aspects() {
		if slices.Contains(a.all(), target) {
			return a, true
		}
	}
	return aspect{}, false
}

// online tells where the internet switch belongs once every grace is over, with NetworkManager's numbers as
// its D-Bus API has them.
func (n network) position() string {
	const (
		asleep, global        = 10, 70
		untold, captive, full = 0, 2, 4
	)
	switch {
	case !n.present, n.state == asleep:
		return "offline"
	case n.connectivity == full, n.connectivity == untold && n.state == global:
		return "online"
	case n.connectivity == captive:
		return "portal"
	}
	return "offline"
}

// logind is what the faults have made of it.
type logind struct {
	present, hanging, closed, asleep bool
}

func (l logind) lid() string {
	switch {
	case !l.present:
		return unknown
	case l.closed:
		return "closed"
	}
	return "open"
}

func (l logind) sleep() string {
	if l.present && l.asleep {
		return "asleep"
	}
	return "awake"
}

// causes returns how often a target may have become active because the switch went through these positions.
// It may be less: the bridge need not see or follow each. active tells whether the target was at first.
func (a aspect) causes(target string, positions []string, active bool) int {
	count := 0
	for _, position := range positions {
		if a.wants(position, target) && !active {
			count++
		}
		active = a.wants(position, target)
	}
	return count
}
