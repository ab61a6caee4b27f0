package wait

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/positions"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Condition says that a switch must be in a position, or in another one.
type Condition struct {
	of       observers.Switch
	position string
	not      bool
}

// Conditions returns the conditions that arguments name: a switch and a position, or
// words such as lid=open. With not, the switches must be in other positions.
func Conditions(args []string, not bool) ([]Condition, error) {
	if len(args) == 2 && !strings.Contains(args[0], "=") {
		args = []string{args[0] + "=" + args[1]}
	}
	if len(args) == 0 {
		return nil, errForm
	}
	if len(args) == 1 && !strings.Contains(args[0], "=") {
		return nil, positions.Incomplete("wait", args[0])
	}
	var conditions []Condition
	for _, arg := range args {
		name, position, isPair := strings.Cut(arg, "=")
		if !isPair {
			return nil, errForm
		}
		if err := positions.Check("wait", name, position); err != nil {
			return nil, err
		}
		s, _ := observers.Table().Named(name)
		conditions = append(conditions, Condition{s, position, not})
	}
	for _, c := range conditions {
		if !areCompatible(c.of, conditions) {
			return nil, fmt.Errorf("wait would never end: the %s has no position in which all conditions hold", c.of.Name)
		}
	}
	return conditions, nil
}

// areCompatible reports whether all conditions of a switch hold in one of its positions.
func areCompatible(s observers.Switch, all []Condition) bool {
	ofIt := slices.DeleteFunc(slices.Clone(all), func(c Condition) bool { return c.of.Name != s.Name })
	possible := s.PositionNames()
	if s.HasTemplate() {
		var named []string
		for _, c := range ofIt {
			if c.position != observers.None {
				named = append(named, c.position)
			}
		}
		const another = "?" // which no unit is called
		possible = []string{observers.None, strings.Join(named, " "), another}
	}
	return slices.ContainsFunc(possible, func(position string) bool {
		return !slices.ContainsFunc(ofIt, func(c Condition) bool { return !c.holds(position) })
	})
}

// errForm is the error for arguments that are not pairs.
var errForm = errors.New(`wait takes a switch and a position, as in "wait internet online", or several as in "wait internet=online lid=open"`)

// holds reports whether the condition is true in a position. In an unknown position,
// no condition is true.
func (c Condition) holds(position string) bool {
	if position == observers.UnknownWord || position == "" {
		return false
	}
	return c.matches(position) != c.not
}

// matches reports whether the switch is in the condition's position. A set matches
// if it contains all the named instances.
func (c Condition) matches(position string) bool {
	if !c.of.HasTemplate() || c.position == observers.None {
		return position == c.position
	}
	present := observers.Instances(position)
	return !slices.ContainsFunc(observers.Instances(c.position), func(instance string) bool {
		return !slices.Contains(present, instance)
	})
}

// concerns reports whether a target must stop while the switch is in a position in
// which the condition holds. For a set, only the named targets must stop, or all if
// none may remain.
func (c Condition) concerns(position, target string) bool {
	if !c.of.Owns(target) || slices.Contains(c.of.TargetsIn(position), target) {
		return false
	}
	if !c.of.HasTemplate() || c.position == observers.None {
		return true
	}
	return slices.Contains(c.of.TargetsIn(c.position), target)
}

// failure describes the present state, for a condition that does not hold.
func (c Condition) failure(state client.State) string {
	said := fmt.Sprintf("%s is %s", c.of.Name, state.Positions[client.PropertyOf(c.of.Name)])
	if reason := state.Facts[c.of.Name+".reason"]; reason != "" {
		said += " (" + reason + ")"
	}
	return said
}
