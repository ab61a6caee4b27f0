package main

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const nmDevice = nmName + ".Device"

// The circumstances of the second reading, in the table.
const (
	readingRest    = "at rest, with no changes"
	readingFull    = "while Connectivity is Full"
	readingLimited = "while it is below Full"
)

// secondReading measures the cost of reading devices when NetworkManager's
// Connectivity does not decide. A device changes again and again in a way that
// does not matter.
func (s *stage) secondReading(ctx context.Context, t *table) error {
	device, err := newFickle(ctx, s)
	if err != nil {
		return err
	}
	defer device.tap.close()
	if err := wait(ctx, settling); err != nil {
		return err
	}
	done := map[string]work{}
	var took time.Duration
	for _, one := range []struct {
		name  string
		check sandbox.CheckMode
		does  func() error
	}{
		{readingFull, sandbox.Full, func() error { return device.change(ctx, s.options.changes) }},
		{readingRest, sandbox.Full, func() error { return wait(ctx, took) }},
		{readingLimited, sandbox.LimitedRefuse, func() error { return device.change(ctx, s.options.changes) }},
	} {
		if err := s.checkAs(ctx, one.check); err != nil {
			return err
		}
		began := time.Now()
		if done[one.name], err = s.workDuring(one.does); err != nil {
			return err
		}
		took = time.Since(began)
	}
	changes := float64(s.options.changes)
	for _, one := range []struct {
		what, unit string
		take       func(work) float64
	}{
		{"voluntary context switches", "", func(w work) float64 { return float64(w.switches) / changes }},
		{"CPU time", "µs", func(w work) float64 { return float64(w.cpu) / float64(time.Microsecond) / changes }},
	} {
		base := one.take(done[readingLimited])
		for _, of := range []string{readingRest, readingFull, readingLimited} {
			value := one.take(done[of])
			f := t.add(figure{
				Subject: "the second reading: " + one.what + " for each change of a device", Of: of,
				Ratio: value / base, To: "below Full", Value: value, Unit: one.unit, N: s.options.changes,
			})
			if of != readingLimited {
				f.Budget = atMost("≤ 0.05", f.Ratio, 0.05)
			}
		}
	}
	return s.checkAs(ctx, sandbox.Full)
}

// checkAs makes the connectivity check answer in a way, and waits until all its
// effects are over.
func (s *stage) checkAs(ctx context.Context, mode sandbox.CheckMode) error {
	if s.check == mode {
		return nil
	}
	s.check = mode
	if err := s.Check.Set(mode); err != nil {
		return err
	}
	if _, err := s.NM.CheckNow(ctx); err != nil {
		return err
	}
	return wait(ctx, settling)
}

// workDuring returns what the bridge does while something else is done.
func (s *stage) workDuring(do func() error) (work, error) {
	pid := s.contenders[0].pid
	before, err := workOf(pid)
	if err != nil {
		return work{}, err
	}
	if err := do(); err != nil {
		return work{}, err
	}
	after, err := workOf(pid)
	return after.since(before), err
}

// fickle is the device of the network, and all that it says about itself.
type fickle struct {
	object dbus.BusObject
	tap    *tap
	auto   bool // its Autoconnect
}

func newFickle(ctx context.Context, s *stage) (*fickle, error) {
	var path dbus.ObjectPath
	call := s.system.Object(nmName, nmPath).CallWithContext(ctx, nmName+".GetDeviceByIpIface", 0, sandbox.Interface)
	if err := call.Store(&path); err != nil {
		return nil, err
	}
	conn, err := s.SystemBus.Connect(ctx)
	if err != nil {
		return nil, err
	}
	err = conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(nmName), dbus.WithMatchObjectPath(path),
		dbus.WithMatchInterface(properties), dbus.WithMatchArg(0, nmDevice))
	if err != nil {
		return nil, err
	}
	return &fickle{object: s.system.Object(nmName, path), tap: newTap(conn), auto: true}, nil
}

// change changes the device a number of times, and returns when it has said so
// each time.
func (f *fickle) change(ctx context.Context, times int) error {
	for range times {
		f.auto = !f.auto
		err := f.object.CallWithContext(ctx, properties+".Set", 0, nmDevice, "Autoconnect", dbus.MakeVariant(f.auto)).Err
		if err != nil {
			return fmt.Errorf("cannot change %s: %w", sandbox.Interface, err)
		}
		if _, err := f.tap.next(ctx, isOfAutoconnect); err != nil {
			return err
		}
	}
	return nil
}

func isOfAutoconnect(m *dbus.Message) bool {
	if len(m.Body) < 2 {
		return false
	}
	changed, _ := m.Body[1].(map[string]dbus.Variant)
	_, isIn := changed["Autoconnect"]
	return isIn
}
