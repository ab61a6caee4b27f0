package systemdctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// TargetState is a target as the user manager has it, with the units that are
// bound to it.
type TargetState struct {
	Name string
	// Load is "loaded", "not-found", "masked" or another LoadState, Active an
	// ActiveState (org.freedesktop.systemd1(5)).
	Load, Active string
	// Since is when Active came to be; zero where the target never moved.
	Since time.Time
	Bound []UnitState
}

// UnitState is a unit that starts or stops with a target.
type UnitState struct {
	Name              string
	Load, Active, Sub string
	// Result is why a service failed, as "exit-code"; "success" or "" otherwise.
	Result string
	// Bound are, of a target, the units that are bound to it in turn.
	Bound []UnitState
}

// deepest is how many targets deep the bound units are followed.
const deepest = 3

// bindings are the dependencies by which a unit starts or stops with a target,
// seen from the target: what it wants or upholds, and who is PartOf=, BindsTo=, Requires=
// or Requisite= it (org.freedesktop.systemd1(5)).
func bindings() []string {
	return []string{"Wants", "Requires", "Upholds", "ConsistsOf", "BoundBy", "RequiredBy", "RequisiteOf"}
}

// Inspect asks the user manager on a session bus for managed targets and what
// is bound to them; of those that a pattern matches, for the ones that it knows.
func Inspect(ctx context.Context, conn *dbus.Conn, managed Managed) ([]TargetState, error) {
	var states []TargetState
	targets := slices.Clone(managed.Targets)
	if len(managed.Patterns) > 0 {
		var known []listedUnit
		call := conn.Object(ManagerName, managerPath).CallWithContext(ctx, managerInterface+".ListUnitsByPatterns", dbus.FlagNoAutoStart, []string{}, managed.Patterns)
		if err := call.Store(&known); err != nil {
			return nil, fmt.Errorf("asking the user manager for its targets: %w", err)
		}
		for _, u := range known {
			targets = append(targets, u.Name)
		}
	}
	for _, name := range targets {
		properties, err := unitProperties(ctx, conn, name)
		if err != nil {
			return nil, err
		}
		state := TargetState{
			Name:   name,
			Load:   text(properties, "LoadState"),
			Active: text(properties, "ActiveState"),
			Since:  timestamp(properties, "StateChangeTimestamp"),
		}
		if state.Bound, err = bound(ctx, conn, properties, targets, []string{name}); err != nil {
			return nil, err
		}
		states = append(states, state)
	}
	return states, nil
}

// bound returns the units that are bound to a target of these properties, but
// for the managed ones and those that it was come by: neither loops nor what is
// told elsewhere. At first the latter is the target alone.
func bound(ctx context.Context, conn *dbus.Conn, target map[string]dbus.Variant, managed, way []string) ([]UnitState, error) {
	names := map[string]bool{}
	for _, binding := range bindings() {
		units, _ := target[binding].Value().([]string)
		for _, unit := range units {
			if !slices.Contains(managed, unit) && !slices.Contains(way, unit) {
				names[unit] = true
			}
		}
	}
	var states []UnitState
	for _, name := range slices.Sorted(maps.Keys(names)) {
		properties, err := unitProperties(ctx, conn, name)
		if err != nil {
			return nil, err
		}
		state := UnitState{
			Name: name, Load: text(properties, "LoadState"), Active: text(properties, "ActiveState"),
			Sub: text(properties, "SubState"), Result: text(properties, "Result"),
		}
		if strings.HasSuffix(name, ".target") && len(way) < deepest {
			if state.Bound, err = bound(ctx, conn, properties, managed, append(slices.Clone(way), name)); err != nil {
				return nil, err
			}
		}
		states = append(states, state)
	}
	return states, nil
}

// unitProperties returns the properties of all interfaces of a unit, which is
// loaded for this if it is not.
func unitProperties(ctx context.Context, conn *dbus.Conn, name string) (map[string]dbus.Variant, error) {
	call := conn.Object(ManagerName, unitPath(name)).CallWithContext(ctx, propertiesInterface+".GetAll", dbus.FlagNoAutoStart, "")
	all, err := allProperties(call)
	if err != nil {
		return nil, fmt.Errorf("asking the user manager for %s: %w", name, err)
	}
	return all, nil
}

func text(properties map[string]dbus.Variant, name string) string {
	words, _ := properties[name].Value().(string)
	return words
}

// timestamp returns a property that is in microseconds since 1970, 0 for never.
func timestamp(properties map[string]dbus.Variant, name string) time.Time {
	micros, _ := properties[name].Value().(uint64)
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(micros))
}
