package observers

import (
	"fmt"
	"slices"
	"strings"
)

// Unknown is the position of a switch about which nothing is known. People read
// it as UnknownWord.
const (
	Unknown     = ""
	UnknownWord = "unknown"
)

// AnyPosition stands for every position that a switch can be known to be in.
const AnyPosition = "*"

// InWords returns a position as people read it.
func InWords(position string) string {
	if position == Unknown {
		return UnknownWord
	}
	return position
}

// Switch is one aspect of the machine. It is in exactly one of its positions, or
// in [Unknown].
type Switch struct {
	// Name is what people call the switch, in flags and in the log.
	Name      string
	Positions []Position
	// Template, if set, makes the switch a set: its position is a list of words in
	// order, or [None], and each word is an instance of the template.
	Template Template
	// Yields makes the switch follow its targets if something else starts another
	// position's, instead of moving them back.
	Yields bool
	// Sources are the sources that the switch is read from.
	Sources []Source
	// Reader returns a new reader of the switch for a policy.
	Reader func(Policy) Reader
	// Follower returns a new reader for a policy, in place of Reader, where the
	// reading depends on the present position.
	Follower func(Policy) Follower
	// Done, if set, returns the position that follows once the services that the
	// present targets want have done their work. Unused, if set, returns the position
	// that follows if nothing that these targets want has run during an operation.
	Done, Unused Next
	// Guarded, if set, is a position whose services may send signals when they crash.
	// In this position, facts wait until the user manager has reported such crashes.
	Guarded string
	// Delays, if set, names the logind operation that the bridge delays in the
	// position During, until the units that its targets start have finished.
	Delays, During string
	// After, if set, is the position that follows once everything has been read again
	// after the operation.
	After string
	// StartAgain are targets of other switches that are started when the switch
	// enters During, even if they are active. Otherwise units that an active target
	// wants would not start again.
	StartAgain []string
}

// Next returns the position that follows on the present one. It reports whether the facts
// allow that position.
type Next func(Snapshot) (position string, follows bool)

// Position is a value of a switch, and the user targets that are active exactly
// while the switch has it.
type Position struct {
	Name    string
	Targets []string
}

// NewReader returns a new reader of the switch for a policy.
func (s Switch) NewReader(policy Policy) Follower {
	if s.Follower != nil {
		return s.Follower(policy)
	}
	read := s.Reader(policy)
	return func(snapshot Snapshot, _ Present) Reading { return read(snapshot) }
}

// HasTemplate reports whether the switch is a set. A set does not list its
// positions: each is made of instances of its template.
func (s Switch) HasTemplate() bool { return s.Template != (Template{}) }

// Owns reports whether a target is one of the switch's.
func (s Switch) Owns(target string) bool {
	_, isInstance := s.Template.Instance(target)
	return isInstance || slices.Contains(s.allTargets(), target)
}

// PositionNames returns the names of the listed positions.
func (s Switch) PositionNames() []string {
	names := make([]string, len(s.Positions))
	for i, p := range s.Positions {
		names[i] = p.Name
	}
	return names
}

// TargetsIn returns the targets that are active in a position, in the order in
// which the position lists them.
func (s Switch) TargetsIn(position string) []string {
	if s.HasTemplate() {
		var targets []string
		for _, instance := range Instances(position) {
			targets = append(targets, s.Template.Target(instance))
		}
		slices.Sort(targets)
		return slices.Compact(targets)
	}
	for _, p := range s.Positions {
		if p.Name == position {
			return slices.Clone(p.Targets)
		}
	}
	return nil
}

// allTargets returns the targets of all listed positions, each once.
func (s Switch) allTargets() []string {
	var targets []string
	for _, p := range s.Positions {
		targets = appendNew(targets, p.Targets...)
	}
	return targets
}

// Targets returns, for each target of the switch, whether it must be active in a
// position. In [Unknown] none must. For a set it returns only the targets of the
// position.
func (s Switch) Targets(position string) map[string]bool {
	wanted := map[string]bool{}
	for _, target := range s.allTargets() {
		wanted[target] = false
	}
	for _, target := range s.TargetsIn(position) {
		wanted[target] = true
	}
	return wanted
}

// Canonical returns a position as the switch writes it: the words of a set are in
// order and each comes once. The error names the accepted positions.
func (s Switch) Canonical(position string) (string, error) {
	if s.HasTemplate() {
		return s.Template.canonical(s.Name, position)
	}
	names := s.PositionNames()
	if slices.Contains(names, position) {
		return position, nil
	}
	return Unknown, fmt.Errorf("the %s has no position %q; accepted are %s", s.Name, position, strings.Join(names, ", "))
}

// PositionOf returns the position whose targets are exactly the switch's active
// targets, if there is only one. A set without active targets is in no position.
func (s Switch) PositionOf(active []string) (position string, found bool) {
	if s.HasTemplate() {
		words := s.Template.words(active)
		return strings.Join(words, " "), len(words) > 0
	}
	for _, p := range s.Positions {
		if matches(s.Targets(p.Name), active) {
			if found {
				return Unknown, false
			}
			position, found = p.Name, true
		}
	}
	return position, found
}

func matches(wanted map[string]bool, active []string) bool {
	for target, want := range wanted {
		if slices.Contains(active, target) != want {
			return false
		}
	}
	return true
}

// appendNew appends the words that are not in the list yet.
func appendNew(words []string, more ...string) []string {
	for _, word := range more {
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}
