package observers

import (
	"maps"
	"slices"
	"strings"
)

// None is the position of a set that is empty.
const None = "none"

func byConnection() Template { return Template{Prefix: "connection@", Suffix: ".target"} }

// connection returns a reader of the active NetworkManager profiles.
func connection(policy Policy) Reader {
	past := activeMemory{}
	return func(snapshot Snapshot) Reading {
		facts := snapshot[connections]
		past.note(facts)
		if facts.Problem != "" {
			return Reading{Reason: facts.Problem, Grace: policy.GoneGrace, Gone: past.endedWords()}
		}
		reading := readConnection(activated(facts))
		past.memory.note(facts, words(reading.Position)...)
		reading.Grace, reading.Gone = past.grace(policy, facts, ""), slices.Sorted(maps.Keys(past.had))
		reading.Reason = whileStarting(facts, reading.Reason)
		return reading
	}
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

// activeMemory also remembers which connections were up last.
type activeMemory struct {
	memory
	up []Facts
}

func (m *activeMemory) note(facts Facts) {
	if facts.Problem == "" {
		m.memory.note(facts)
		m.up = activated(facts)
	}
}

// endedWords returns the words of the connections that have ended with their
// NetworkManager.
func (m *activeMemory) endedWords() []string {
	var ended []string
	for _, connection := range m.up {
		if name, kind, isVPN := readProfile(connection); isVPN && kind != wireguard {
			ended = append(ended, Word(Escape(name)))
		}
	}
	return ended
}

// endedVPN returns the name of a VPN that has ended with its NetworkManager, because
// a plugin had it up. It also reports whether the kernel keeps another one up.
func (m *activeMemory) endedVPN() (ended string, isKept bool) {
	for _, connection := range m.up {
		name, kind, isVPN := readProfile(connection)
		switch {
		case kind == wireguard:
			isKept = true
		case isVPN:
			ended = name
		}
	}
	return ended, isKept
}
