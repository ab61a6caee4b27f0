// Package status reports the states of the switches, their targets, and the units
// that are bound to these, to people and to programs.
package status

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Report is what status shows. status --json prints it, so its fields are never
// renamed or removed.
type Report struct {
	// Running reports whether a bridge answers. If none does, the positions are
	// derived from the active targets, and the facts come from the services.
	Running  bool              `json:"running"`
	Switches []Switch          `json:"switches"`
	Facts    map[string]string `json:"facts"`
	// Problems says what could not be read.
	Problems []string `json:"problems,omitempty"`
}

// Switch is one switch of a report.
type Switch struct {
	Name string `json:"name"`
	// Position is "unknown" if nothing is known about the switch, and "off" if the
	// bridge does not keep it.
	Position string `json:"position"`
	// Since is when the switch came into the position; absent if unknown.
	Since *time.Time `json:"since,omitempty"`
	// Reason gives the raw facts that led to the position.
	Reason string `json:"reason,omitempty"`
	// Doubt says why the position may change soon.
	Doubt string `json:"doubt,omitempty"`
	// Source says which service the switch is read from, if there are several.
	Source string `json:"source,omitempty"`
	// Lock is "held", "not held" or "refused": the state of the delay lock of a switch
	// that delays an operation of logind, such as sleep.
	Lock string `json:"lock,omitempty"`
	// Held reports whether the user holds the switch in the position by hand.
	Held    bool     `json:"held"`
	Targets []Target `json:"targets"`
}

// Target is a target of a switch.
type Target struct {
	Name string `json:"name"`
	// Active is systemd's ActiveState, or "masked" or "not-found" if the target cannot
	// be started.
	Active string `json:"active"`
	Units  []Unit `json:"units"`
}

// Unit is a unit that starts or stops with a target.
type Unit struct {
	Name   string `json:"name"`
	Active string `json:"active"`
	Sub    string `json:"sub"`
	// Result is systemd's word for the reason why a service failed.
	Result string `json:"result,omitempty"`
	// Units are the units that start or stop with this one, if it is a target of the
	// user's own.
	Units []Unit `json:"units,omitempty"`
}

// Make puts a report together. state is nil if no bridge answers; facts are then what
// the services themselves say.
func Make(switches observers.Switches, state *client.State, facts map[string]string, targets []systemdctl.TargetState) Report {
	report := Report{Running: state != nil, Facts: facts}
	if state != nil {
		report.Facts = state.Facts
	}
	if report.Facts == nil {
		report.Facts = map[string]string{} // which JSON shows as an object
	}
	for _, s := range switches {
		report.Switches = append(report.Switches, describe(s, state, targets))
	}
	return report
}

func describe(s observers.Switch, state *client.State, targets []systemdctl.TargetState) Switch {
	view := Switch{Name: s.Name, Position: observers.UnknownWord, Targets: []Target{}}
	if state == nil {
		if position, found := s.PositionOf(active(targets)); found {
			view.Position = position
		}
	} else {
		// An older bridge may not have the switch.
		if position, isThere := state.Positions[client.PropertyOf(s.Name)]; isThere {
			view.Position = position
		}
		fact := func(what string) string { return state.Facts[s.Name+"."+what] }
		view.Reason, view.Doubt, view.Source, view.Lock = fact("reason"), fact("doubt"), fact("source"), fact("lock")
		_, view.Held = state.Overrides[s.Name]
		if since, err := time.Parse(time.RFC3339, fact("since")); err == nil {
			view.Since = &since
		}
	}
	belongs := s.Targets(view.Position)
	for _, t := range targets {
		if !s.Owns(t.Name) {
			continue
		}
		if belongs[t.Name] && t.Active == "active" && view.Since == nil && !t.Since.IsZero() {
			view.Since = &t.Since
		}
		view.Targets = append(view.Targets, target(t))
	}
	return view
}

func active(targets []systemdctl.TargetState) []string {
	var names []string
	for _, t := range targets {
		if t.Active == "active" {
			names = append(names, t.Name)
		}
	}
	return names
}

func target(t systemdctl.TargetState) Target {
	view := Target{Name: t.Name, Active: t.Active, Units: []Unit{}}
	if t.Load != "loaded" && t.Active != "active" {
		view.Active = t.Load
	}
	view.Units = append(view.Units, units(t.Bound)...)
	return view
}

func units(bound []systemdctl.UnitState) []Unit {
	var views []Unit
	for _, u := range bound {
		view := Unit{Name: u.Name, Active: u.Active, Sub: u.Sub, Result: u.Result, Units: units(u.Bound)}
		if u.Load != "loaded" {
			view.Active = u.Load
		}
		if view.Result == "success" {
			view.Result = ""
		}
		views = append(views, view)
	}
	return views
}

// factNames returns the names of the facts that are not shown beside a switch.
func (r Report) factNames() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(r.Facts)), func(name string) bool {
		owner, _, _ := strings.Cut(name, ".")
		return slices.ContainsFunc(r.Switches, func(s Switch) bool { return s.Name == owner })
	})
}
