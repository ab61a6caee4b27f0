package chaos

import (
	"slices"
	"strings"
)

// aspect is a switch as the model knows it.
type aspect struct {
	name string
	// targets returns the targets that are active in a position.
	targets func(position string) []string
	// all holds its targets; for a set, those that plans draw.
	all []string
	// yields reports whether it follows its targets when something else moves them.
	yields bool
}

// unknown is the position of a switch about which nothing is known.
const unknown = ""

// aspects lists the switches of the bridge. Sleep comes before lock, because it moves lock.
func aspects() []aspect {
	lock := simple("lock", map[string][]string{"unlocked": {"unlock.target"}, "locked": {"lock.target"}})
	lock.yields = true
	return []aspect{
		simple("internet", map[string][]string{
			"online":  {"internet-online.target"},
			"offline": {"internet-offline.target"},
			"portal":  {"internet-offline.target", "internet-portal.target"},
		}),
		simple("uplink", map[string][]string{
			"wired":    {"uplink-wired.target"},
			"wifi":     {"uplink-wifi.target"},
			"cellular": {"uplink-cellular.target"},
		}),
		simple("lid", map[string][]string{"open": {"lid-open.target"}, "closed": {"lid-closed.target"}}),
		simple("sleep", map[string][]string{"awake": nil, "asleep": {"sleep.target"}, "woken": {"wake.target"}}),
		simple("shutdown", map[string][]string{"running": nil, "ending": {"before-shutdown.target"}}),
		lock,
		simple("idle", map[string][]string{"busy": {"busy.target"}, "idle": {"idle.target"}}),
		simple("power", map[string][]string{"ac": {"power-ac.target"}, "battery": {"power-battery.target"}}),
		simple("metered", map[string][]string{"unmetered": {"network-unmetered.target"}, "metered": {"network-metered.target"}}),
		simple("vpn", map[string][]string{"up": {"vpn-up.target"}, "down": {"vpn-down.target"}}),
		set("connection", instances()),
	}
}

// simple is a switch with fixed targets for each position.
func simple(name string, targets map[string][]string) aspect {
	a := aspect{name: name, targets: func(position string) []string { return targets[position] }}
	for _, of := range targets {
		a.all = append(a.all, of...)
	}
	slices.Sort(a.all)
	a.all = slices.Compact(a.all)
	return a
}

// nothing is the position of a set without members.
const nothing = "none"

// set is a switch whose position is a list of words, with a target of a template for each.
func set(name string, words []string) aspect {
	targets := func(words []string) []string {
		var targets []string
		for _, word := range words {
			targets = append(targets, name+"@"+word+".target")
		}
		return targets
	}
	return aspect{name: name, all: targets(words), targets: func(position string) []string {
		if position == nothing {
			return nil
		}
		return targets(strings.Fields(position))
	}}
}

// pairs are the targets that conflict.
func pairs() [][2]string {
	return [][2]string{
		{"internet-online.target", "internet-offline.target"},
		{"internet-online.target", "internet-portal.target"},
		{"uplink-wired.target", "uplink-wifi.target"},
		{"uplink-wired.target", "uplink-cellular.target"},
		{"uplink-wifi.target", "uplink-cellular.target"},
		{"lid-open.target", "lid-closed.target"},
		{"sleep.target", "wake.target"},
		{"lock.target", "unlock.target"},
		{"busy.target", "idle.target"},
		{"power-ac.target", "power-battery.target"},
		{"network-metered.target", "network-unmetered.target"},
		{"vpn-up.target", "vpn-down.target"},
	}
}

// has reports whether a target belongs to the switch.
func (a aspect) has(target string) bool {
	return slices.Contains(a.all, target) || strings.HasPrefix(target, a.name+"@")
}

// wants reports whether a target is active in a position.
func (a aspect) wants(position, target string) bool {
	return slices.Contains(a.targets(position), target)
}

// aspectOf returns the switch that has a target.
func aspectOf(target string) (aspect, bool) {
	for _, a := range aspects() {
		if a.has(target) {
			return a, true
		}
	}
	return aspect{}, false
}

// uplink returns the position of the uplink switch. No plan has Wi-Fi or a modem.
func (n network) uplink() string {
	switch {
	case !n.present:
		return unknown
	case n.primary == "":
		return nothing
	case n.primary == "802-3-ethernet", n.primary == "bridge":
		return "wired"
	}
	return "other"
}

// metering returns the position of the metered switch.
func (n network) metering() string {
	const local = 50                      // there is a network
	const untold, yes, guessYes = 0, 1, 3 // NMMetered; the others are no, and guessed to be no
	switch {
	case !n.present, n.state < local, n.metered == untold:
		return unknown
	case n.metered == yes, n.metered == guessYes:
		return "metered"
	}
	return "unmetered"
}

// tunnel returns the position of the vpn switch.
func (n network) tunnel() string {
	switch {
	case n.vpn:
		return "up"
	case n.present, n.ended:
		return "down"
	}
	return unknown
}

// connection returns the position of the connection switch.
func (n network) connection() string {
	switch {
	case !n.present:
		return unknown
	case n.profiles == "":
		return nothing
	}
	return n.profiles
}

// logind is the state that the faults have brought logind into.
type logind struct {
	present, hanging, closed, asleep bool
	// slept is set from the first sleep on.
	slept bool
	// ending is set while a shutdown is about to begin.
	ending bool
	// unheard is set from a silent wake-up until logind says something or is asked.
	unheard bool
}

// power is the machine's source of power, and whether UPower is there to report it.
type power struct {
	upower, battery bool
}

func (p power) position(l logind) string {
	switch {
	case !p.upower && !l.present:
		return unknown
	case p.battery:
		return "battery"
	}
	return "ac"
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
	if l.slept {
		return "woken"
	}
	return "awake"
}

func (l logind) shutdown() string {
	if l.present && l.ending {
		return "ending"
	}
	return "running"
}

// causes returns the most times that a target can have become active because the switch went
// through these positions. The bridge need not see or follow each. active reports whether the
// target was active at first.
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

// among returns the targets of a switch: those that plans draw, and any others among some units.
func among[T any](a aspect, units map[string]T) []string {
	targets := slices.Clone(a.all)
	for name := range units {
		if a.has(name) {
			targets = append(targets, name)
		}
	}
	slices.Sort(targets)
	return slices.Compact(targets)
}
