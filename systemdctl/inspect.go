package systemdctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// TargetState is a target as the user manager sees it, with the units that are
// bound to it.
type TargetState struct {
	Name string
	// Load is a LoadState such as "loaded", "not-found" or "masked". Active is an
	// ActiveState (org.freedesktop.systemd1(5)).
	Load, Active string
	// Since is when Active last changed; zero if it never did.
	Since time.Time
	Bound []UnitState
}

// UnitState is a unit that starts or stops with a target.
type UnitState struct {
	Name              string
	Load, Active, Sub string
	// Result is why a service failed, such as "exit-code"; otherwise "success" or "".
	Result string
	// Bound are the units that are bound to this one, if it is a target.
	Bound []UnitState
}

// deepest is the greatest depth of nested targets whose units are followed.
const deepest = 3

// bindings are the properties of a target that name the units that start or stop with
// it: the units that it wants or upholds, and the units with PartOf=, BindsTo=,
// Requires= or Requisite= on it (org.freedesktop.systemd1(5)).
func bindings() []string {
	return []string{"Wants", "Requires", "Upholds", "ConsistsOf", "BoundBy", "RequiredBy", "RequisiteOf"}
}

// Inspect asks the user manager on a session bus for the managed targets and the
// units that are bound to them. For a pattern it returns the matching targets that
// the manager knows.
func Inspect(ctx context.Context, conn *dbus.Conn, managed Managed) ([]TargetState, error) {
	var states []TargetState
	targets := managed.Targets()
	if patterns := managed.Patterns(); len(patterns) > 0 {
		var known []systemd.UnitStatus
		call := conn.Object(ManagerName, managerPath).CallWithContext(ctx, managerInterface+".ListUnitsByPatterns", dbus.FlagNoAutoStart, []string{}, patterns)
		if err := call.Store(&known); err != nil {
			return nil, fmt.Errorf("cannot ask the user manager for its targets: %w", err)
		}
		for _, u := range known {
			targets = append(targets, u.Name)
		}
	}
	for _, name := range targets {
		unit, err := unitProperties(ctx, conn, name)
		if err != nil {
			return nil, err
		}
		state := TargetState{
			Name:   name,
			Load:   unit.text("LoadState"),
			Active: unit.text("ActiveState"),
			Since:  unit.time("StateChangeTimestamp"),
		}
		if state.Bound, err = bound(ctx, conn, unit, targets, []string{name}); err != nil {
			return nil, err
		}
		states = append(states, state)
	}
	return states, nil
}

// bound returns the units that are bound to the target with these properties. It
// leaves out the managed targets, which the caller lists, and the units on the path
// to this target, so that a loop ends. In the first call, the path is the target
// alone.
func bound(ctx context.Context, conn *dbus.Conn, target properties, managed, way []string) ([]UnitState, error) {
	names := map[string]bool{}
	for _, binding := range bindings() {
		units, _, _ := property[[]string](target, binding)
		for _, name := range units {
			if !slices.Contains(managed, name) && !slices.Contains(way, name) {
				names[name] = true
			}
		}
	}
	var states []UnitState
	for _, name := range slices.Sorted(maps.Keys(names)) {
		unit, err := unitProperties(ctx, conn, name)
		if err != nil {
			return nil, err
		}
		state := UnitState{
			Name: name, Load: unit.text("LoadState"), Active: unit.text("ActiveState"),
			Sub: unit.text("SubState"), Result: unit.text("Result"),
		}
		if strings.HasSuffix(name, ".target") && len(way) < deepest {
			if state.Bound, err = bound(ctx, conn, unit, managed, append(slices.Clone(way), name)); err != nil {
				return nil, err
			}
		}
		states = append(states, state)
	}
	return states, nil
}

// unitProperties returns the properties of all interfaces of a unit. The manager
// loads the unit if necessary.
func unitProperties(ctx context.Context, conn *dbus.Conn, name string) (properties, error) {
	call := conn.Object(ManagerName, unitPath(name)).CallWithContext(ctx, propertiesInterface+".GetAll", dbus.FlagNoAutoStart, "")
	all, err := allProperties(call)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the user manager for %s: %w", name, err)
	}
	return all, nil
}
