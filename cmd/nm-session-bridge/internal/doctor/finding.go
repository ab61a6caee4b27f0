// Package doctor finds out why targets and the user's units do not work as intended, and
// how to mend that. It changes nothing.
package doctor

import (
	"slices"
	"strings"
)

// Finding is something that is wrong.
type Finding struct {
	// Unit is the unit that it is about, or "" if it is about several units or none.
	Unit string `json:"unit,omitempty"`
	// What names the thing and says what is wrong with it. Why says what follows from that.
	What string `json:"what"`
	Why  string `json:"why"`
	Mend
}

// Mend is how to mend a finding: with a command, or by hand if no command is safe.
type Mend struct {
	// Command is a command line for the user's shell. It can be run as it stands, also
	// twice: it keeps no unit from starting that used to start, and deletes nothing.
	Command string `json:"mend,omitempty"`
	// ByHand says what a person has to do.
	ByHand string `json:"hand,omitempty"`
}

// run mends with a command.
func run(command string) Mend { return Mend{Command: command} }

// then adds what is to be done afterwards.
func (m Mend) then(command string) Mend {
	if m.Command == "" {
		return byHand(m.ByHand + "; then " + command)
	}
	return run(m.Command + " && " + command)
}

// byHand mends by hand.
func byHand(words string) Mend { return Mend{ByHand: words} }

// reload makes the user manager read the files of its units again.
const reload = "systemctl --user daemon-reload"

// byEdit mends by a change of units' files by hand, which has no effect before the user
// manager has read it. The commands follow that.
func byEdit(words string, commands ...string) Mend {
	return byHand(words + "; then " + strings.Join(append([]string{reload}, commands...), " && "))
}

// about says which unit findings are about.
func about(unit string, findings []Finding) []Finding {
	for i := range findings {
		findings[i].Unit = unit
	}
	return findings
}

// grouped moves all findings about a unit behind the first finding about it, in their
// order.
func grouped(findings []Finding) []Finding {
	all := []Finding{} // which JSON shows as an array even if it is empty
	for i, f := range findings {
		sameUnit := func(other Finding) bool { return f.Unit != "" && other.Unit == f.Unit }
		if slices.ContainsFunc(findings[:i], sameUnit) {
			continue
		}
		all = append(all, f)
		for _, later := range findings[i+1:] {
			if sameUnit(later) {
				all = append(all, later)
			}
		}
	}
	return all
}
