package observers

import (
	"slices"
	"strings"
)

// None is the position of a set that is empty.
const None = "none"

func byConnection() Template { return Template{Prefix: "connection@", Suffix: ".target"} }

// connection reads which profiles of NetworkManager are active.
func connection(policy Policy, snapshot Snapshot) Reading {
	return readActive(policy, snapshot, readConnection)
}

func readConnection(up []Facts) Reading {
	var names, words []string
	for _, connection := range up {
		name, _ := connection.Text("Id")
		kind, _ := connection.Text("Type")
		word := Word(Escape(name))
		// A name that is too long for a unit has no target.
		if kind == "loopback" || !byConnection().fits(Escape(name)) || slices.Contains(words, word) {
			continue
		}
		names, words = append(names, legible(name)), append(words, word)
	}
	slices.Sort(names)
	slices.Sort(words)
	if len(words) == 0 {
		return Reading{Position: None, Reason: "no profile is active"}
	}
	return Reading{Position: strings.Join(words, " "), Reason: "active: " + strings.Join(names, ", ")}
}

// readActive reads a switch from the connections that are up.
func readActive(policy Policy, snapshot Snapshot, read func(up []Facts) Reading) Reading {
	facts := snapshot[connections]
	if facts.Problem != "" {
		return Reading{Reason: facts.Problem, Grace: policy.GoneGrace}
	}
	reading := read(activated(facts))
	if startup, _ := facts.Bool("Startup"); startup {
		// A restarted NetworkManager activates again what was never down.
		reading.Reason += " Startup=true"
		reading.Grace = policy.GoneGrace
	}
	return reading
}
