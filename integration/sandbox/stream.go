package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	systemdName    = "org.freedesktop.systemd1"
	systemdPath    = dbus.ObjectPath("/org/freedesktop/systemd1")
	systemdManager = "org.freedesktop.systemd1.Manager"
	systemdUnit    = "org.freedesktop.systemd1.Unit"
	unitPathPrefix = "/org/freedesktop/systemd1/unit/"
)

// DeliverSignal handles one signal of the session bus. The connection calls it for each message in
// turn, and so before it returns the answer to any later call.
func (t *Timeline) DeliverSignal(_, _ string, signal *dbus.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case signal.Name == dbusName+".NameOwnerChanged":
		t.followOwner(signal)
	case t.reading:
		t.backlog = append(t.backlog, signal)
	default:
		t.apply(signal)
	}
}

// Terminate notes that the connection has ended. The connection calls it.
func (t *Timeline) Terminate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end(errors.New("the session bus or the caller closed the connection"))
}

// end is called with mu held.
func (t *Timeline) end(why error) {
	if t.err == nil {
		t.err = fmt.Errorf("%w: %w", ErrTimelineEnded, why)
		t.wake()
	}
}

// wake is called with mu held.
func (t *Timeline) wake() {
	close(t.change)
	t.change = make(chan struct{})
}

// add is called with mu held.
func (t *Timeline) add(event Event) {
	event.Time = time.Now()
	t.events = append(t.events, event)
	t.wake()
}

// followOwner is called with mu held.
func (t *Timeline) followOwner(signal *dbus.Signal) {
	var name, before, after string
	if err := dbus.Store(signal.Body, &name, &before, &after); err != nil || name != systemdName {
		return
	}
	if before != "" {
		t.add(Event{Kind: Interrupted}) // and once: newer managers are away for a moment
	}
	if after == "" || t.reading {
		return
	}
	t.reading = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := t.read(ctx); err != nil {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.end(err)
		}
	}()
}

// read reads the present states of all units, and then handles the signals that arrived meanwhile.
// The first reading is only the starting point. A later one records the differences as events.
func (t *Timeline) read(ctx context.Context) error {
	units, err := t.snapshot(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	first := len(t.units) == 0
	for _, unit := range units {
		if first {
			t.units[unit.name] = unit.unitState
			t.known[unit.invocation] = true
		} else {
			t.update(unit)
		}
	}
	t.reading = false
	for _, signal := range t.backlog {
		t.apply(signal)
	}
	t.backlog = nil
	t.wake()
	return nil
}

// unitReport is what the user manager says about a unit at one time.
type unitReport struct {
	name       string
	unitState  unitState
	invocation string
}

// snapshot subscribes to the user manager's signals and asks for all units.
func (t *Timeline) snapshot(ctx context.Context) ([]unitReport, error) {
	manager := t.conn.Object(systemdName, systemdPath)
	err := manager.CallWithContext(ctx, systemdManager+".Subscribe", dbus.FlagNoAutoStart).Err
	var refused dbus.Error
	if err != nil && (!errors.As(err, &refused) || refused.Name != "org.freedesktop.systemd1.AlreadySubscribed") {
		return nil, fmt.Errorf("subscribe to the user manager: %w", err)
	}
	var listed []struct {
		Name, Description, Load, Active, Sub, Following string
		Path                                            dbus.ObjectPath
		Job                                             uint32
		JobType                                         string
		JobPath                                         dbus.ObjectPath
	}
	err = manager.CallWithContext(ctx, systemdManager+".ListUnits", dbus.FlagNoAutoStart).Store(&listed)
	if err != nil {
		return nil, fmt.Errorf("cannot list the user manager's units: %w", err)
	}
	// There are hundreds of units, and all that a manager says about one takes it a while. So
	// this asks for one property, and asks for the next before the last is answered.
	reports := make([]unitReport, len(listed))
	answers := make(chan *dbus.Call, len(listed))
	about := map[*dbus.Call]*unitReport{}
	for i, unit := range listed {
		reports[i] = unitReport{name: unit.Name, unitState: unitState{unit.Active, unit.Sub}}
		call := t.conn.Object(systemdName, unit.Path).GoWithContext(ctx, propertiesIfc+".Get", dbus.FlagNoAutoStart, answers,
			systemdUnit, "InvocationID")
		about[call] = &reports[i]
	}
	for range listed {
		answer := <-answers
		var invocation []byte
		if err := answer.Store(&invocation); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", about[answer].name, err)
		}
		about[answer].invocation = string(invocation)
	}
	return reports, nil
}

// apply is called with mu held.
func (t *Timeline) apply(signal *dbus.Signal) {
	switch signal.Name {
	case propertiesIfc + ".PropertiesChanged":
		var ifc string
		var properties map[string]dbus.Variant
		if err := dbus.Store(signal.Body[:2], &ifc, &properties); err == nil && ifc == systemdUnit {
			report := unitReport{name: unitName(signal.Path)}
			report.unitState.active, _ = properties["ActiveState"].Value().(string)
			report.unitState.sub, _ = properties["SubState"].Value().(string)
			invocation, _ := properties["InvocationID"].Value().([]byte)
			report.invocation = string(invocation)
			t.update(report)
		}
	case systemdManager + ".JobNew":
		event := Event{Kind: JobQueued}
		var path dbus.ObjectPath
		if err := dbus.Store(signal.Body, &event.Job, &path, &event.Unit); err == nil {
			t.add(event)
		}
	case systemdManager + ".JobRemoved":
		event := Event{Kind: JobRemoved}
		var path dbus.ObjectPath
		if err := dbus.Store(signal.Body, &event.Job, &path, &event.Unit, &event.Result); err == nil {
			t.add(event)
		}
	}
}

// update is called with mu held. The user manager sends all of a unit's changing properties together.
func (t *Timeline) update(unit unitReport) {
	if unit.unitState.active == "" {
		return
	}
	started := unit.invocation != "" && !t.known[unit.invocation]
	if started {
		t.known[unit.invocation] = true
		t.starts[unit.name]++
	}
	if !started && t.units[unit.name] == unit.unitState {
		return
	}
	t.units[unit.name] = unit.unitState
	t.add(Event{
		Kind: UnitChanged, Unit: unit.name, Started: started,
		Active: unit.unitState.active, Sub: unit.unitState.sub,
	})
}

// unitName undoes systemd's escaping of unit names in object paths: _2e stands for the byte 0x2e.
func unitName(path dbus.ObjectPath) string {
	escaped := strings.TrimPrefix(string(path), unitPathPrefix)
	var name strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] == '_' && i+2 < len(escaped) {
			if code, err := strconv.ParseUint(escaped[i+1:i+3], 16, 8); err == nil {
				name.WriteByte(byte(code))
				i += 2
				continue
			}
		}
		name.WriteByte(escaped[i])
	}
	return name.String()
}
