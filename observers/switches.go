package observers

import "slices"

// Switches are some of the switches, in the order in which people see them.
type Switches []Switch

// Named returns the switch with a name, and reports whether there is one.
func (s Switches) Named(name string) (found Switch, exists bool) {
	i := slices.IndexFunc(s, func(one Switch) bool { return one.Name == name })
	if i < 0 {
		return Switch{}, false
	}
	return s[i], true
}

// Choose returns the switches with these names, or all of them if no names are given.
func (s Switches) Choose(names []string) Switches {
	if len(names) == 0 {
		return s
	}
	return s.filter(func(one Switch) bool { return slices.Contains(names, one.Name) })
}

// Yielding returns the targets of each switch that follows its targets if something
// else starts another position's. Each comes with the targets of other switches that
// start it.
func (s Switches) Yielding() []map[string][]string {
	var groups []map[string][]string
	for _, one := range s {
		if one.Yields {
			group := map[string][]string{}
			for _, target := range one.allTargets() {
				group[target] = s.startersOf(target)
			}
			groups = append(groups, group)
		}
	}
	return groups
}

func (s Switches) startersOf(target string) []string {
	var starters []string
	for _, one := range s {
		if slices.Contains(one.StartAgain, target) {
			starters = append(starters, one.TargetsIn(one.During)...)
		}
	}
	return starters
}

func (s Switches) filter(keep func(Switch) bool) Switches {
	var kept Switches
	for _, one := range s {
		if keep(one) {
			kept = append(kept, one)
		}
	}
	return kept
}

// Names returns the names of the switches.
func (s Switches) Names() []string {
	names := make([]string, len(s))
	for i, one := range s {
		names[i] = one.Name
	}
	return names
}

// Targets returns the targets of all listed positions, each once. The targets of
// sets are not listed; they match [Switches.Patterns].
func (s Switches) Targets() []string {
	var targets []string
	for _, one := range s {
		targets = appendNew(targets, one.allTargets()...)
	}
	return targets
}

// Patterns returns the patterns, as in glob(7), that the targets of sets match.
func (s Switches) Patterns() []string {
	var patterns []string
	for _, one := range s {
		if one.HasTemplate() {
			patterns = append(patterns, one.Template.Pattern())
		}
	}
	return patterns
}

// Before returns the targets whose units have to finish before an operation of
// logind that a switch delays: that switch's, those of the switches that it moves, and the
// lid's, which may be the reason for it.
func (s Switches) Before(operation string) []string {
	return s.filter(func(one Switch) bool {
		return one.Delays == operation || one.Name == "lid" || s.isMovedBy(operation, one)
	}).Targets()
}

// isMovedBy reports whether a switch moves when an operation begins, because another one
// starts one of its targets then. It may have moved just before, with the same units.
func (s Switches) isMovedBy(operation string, moved Switch) bool {
	return slices.ContainsFunc(s, func(one Switch) bool {
		return one.Delays == operation && slices.ContainsFunc(one.StartAgain, moved.Owns)
	})
}

// Sources returns the sources that the switches are read from, each once.
func (s Switches) Sources() []Source {
	var sources []Source
	for _, one := range s {
		for _, source := range one.Sources {
			if !slices.ContainsFunc(sources, func(known Source) bool { return known.ID == source.ID }) {
				sources = append(sources, source)
			}
		}
	}
	return sources
}

// Table returns all switches.
func Table() Switches {
	return Switches{
		{
			Name: "internet",
			Positions: []Position{
				{"online", []string{"internet-online.target"}},
				{"offline", []string{"internet-offline.target"}},
				{"portal", []string{"internet-offline.target", "internet-portal.target"}},
			},
			Sources: []Source{NetworkManager(), Routes()},
			Reader:  internet,
		},
		{
			Name: "uplink",
			Positions: []Position{
				{"wired", []string{"uplink-wired.target"}},
				{"wifi", []string{"uplink-wifi.target"}},
				{"cellular", []string{"uplink-cellular.target"}},
				{"other", nil},
				{None, nil},
			},
			Sources: []Source{NetworkManager()},
			Reader:  uplink,
		},
		{
			Name: "lid",
			Positions: []Position{
				{"open", []string{"lid-open.target"}},
				{"closed", []string{"lid-closed.target"}},
			},
			Sources: []Source{Logind(), UPower()},
			Reader:  pure(lid),
		},
		{
			Name: "sleep",
			Positions: []Position{
				{"awake", nil},
				{"asleep", []string{"sleep.target"}},
				{"woken", []string{"wake.target"}},
			},
			Sources:  []Source{Logind()},
			Follower: sleep,
			Delays:   "sleep",
			During:   "asleep",
			After:    "woken",
			// A locker may have ended silently.
			StartAgain: []string{"lock.target"},
		},
		{
			Name: "shutdown",
			Positions: []Position{
				{"running", nil},
				{"ending", []string{"before-shutdown.target"}},
			},
			Sources: []Source{Logind()},
			Reader:  pure(shutdown),
			Delays:  "shutdown",
			During:  "ending",
		},
		{
			Name: "lock",
			Positions: []Position{
				{"unlocked", []string{"unlock.target"}},
				{"locked", []string{"lock.target"}},
			},
			Sources:  []Source{Session()},
			Follower: func(Policy) Follower { return lock() },
			Done:     lockAfter("LockedHint"),
			Unused:   lockAfter("LockedHint", saidLast),
			Guarded:  locked,
			// A locker that ends starts unlock.target; sleep.target starts lock.target.
			Yields: true,
		},
		{
			Name: "idle",
			Positions: []Position{
				{"busy", []string{"busy.target"}},
				{"idle", []string{"idle.target"}},
			},
			Sources: []Source{Idleness()},
			Reader:  pure(idle),
		},
		{
			Name: "power",
			Positions: []Position{
				{"ac", []string{"power-ac.target"}},
				{"battery", []string{"power-battery.target"}},
			},
			Sources: []Source{UPower(), Logind()},
			Reader:  pure(power),
		},
		{
			Name: "metered",
			Positions: []Position{
				{"unmetered", []string{"network-unmetered.target"}},
				{"metered", []string{"network-metered.target"}},
			},
			Sources: []Source{NetworkManager()},
			Reader:  metered,
		},
		{
			Name: "vpn",
			Positions: []Position{
				{"up", []string{"vpn-up.target"}},
				{"down", []string{"vpn-down.target"}},
			},
			Sources: []Source{Connections()},
			Reader:  vpn,
		},
		{
			Name:     "connection",
			Template: byConnection(),
			Sources:  []Source{Connections()},
			Reader:   connection,
		},
	}
}
