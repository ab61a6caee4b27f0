package chaos

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"
)

// sessionBusKill kills the session bus with SIGKILL; its socket starts it again. The user manager
// itself kills it, because a manager of systemd 252 that is surprised by the loss often waits 90 s
// for its own bus and starts nothing.
func sessionBusKill(ctx context.Context, w *World, _ string) error {
	w.bridgeReborn()
	return w.ask(ctx, "stop", "--no-block", "dbus.service")
}

// systemBusKill kills the system bus, which ends the daemons that cannot live without it, and
// brings all of them back.
func systemBusKill(ctx context.Context, w *World, arg string) error {
	d, err := time.ParseDuration(arg)
	if err != nil {
		return err
	}
	if !w.busUp {
		return skipped("there is no system bus")
	}
	w.busUp = false
	w.bridgeReborn()
	logind, upower := w.logind.present, w.power.upower
	if err := w.sb.SystemBus.Kill(ctx); err != nil {
		return err
	}
	if err := errors.Join(logindGone(ctx, w, ""), upowerGone(ctx, w, "")); err != nil {
		return err
	}
	if err := w.stopNM(ctx, w.sb.NM.Stop); err != nil {
		return err
	}
	w.afterwards(d, "the system bus is back", func(ctx context.Context) error {
		w.busUp = true
		if err := w.sb.SystemBus.Start(ctx); err != nil {
			return err
		}
		w.power.upower = upower
		if err := w.startStandIns(ctx); err != nil {
			return err
		}
		if logind {
			if err := logindBack(ctx, w, ""); err != nil {
				return err
			}
		}
		return w.startNM(ctx)
	})
	return nil
}

// stranger is a user other than ours.
const stranger = 65534

// forge makes another user send the bridge signals that contradict the truth.
func forge(ctx context.Context, w *World, arg string) error {
	count, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	if !w.busUp {
		return skipped("there is no system bus")
	}
	bridge, err := w.bridgesNames(ctx)
	if err != nil || len(bridge) == 0 {
		return skipped("the bridge is not on the system bus")
	}
	conn, err := w.sb.ConnectSystemBusAs(ctx, stranger)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range count {
		for _, name := range bridge {
			for _, signal := range w.forgeries(name) {
				conn.Send(signal, nil)
			}
		}
	}
	// The answer shows that the bus has read everything that came before.
	return conn.BusObject().CallWithContext(ctx, busName+".GetId", 0).Err
}

// bridgesNames returns the unique names of the bridge on the system bus.
func (w *World) bridgesNames(ctx context.Context) ([]string, error) {
	units, err := w.look(ctx, bridgeUnit)
	if err != nil {
		return nil, err
	}
	conn, err := w.sb.SystemBus.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var names, ours []string
	if err := conn.BusObject().CallWithContext(ctx, busName+".ListNames", 0).Store(&names); err != nil {
		return nil, err
	}
	for _, name := range names {
		var pid uint32
		err := conn.BusObject().CallWithContext(ctx, busName+".GetConnectionUnixProcessID", 0, name).Store(&pid)
		if err == nil && int(pid) == units[bridgeUnit].pid && name[0] == ':' {
			ours = append(ours, name)
		}
	}
	return ours, nil
}

func (w *World) forgeries(destination string) []*dbus.Message {
	changed := func(path dbus.ObjectPath, ifc string, values map[string]dbus.Variant) *dbus.Message {
		return signal(destination, path, properties, "PropertiesChanged", ifc, values, []string{})
	}
	const (
		login1  = dbus.ObjectPath("/org/freedesktop/login1")
		manager = "org.freedesktop.login1.Manager"
		session = "org.freedesktop.login1.Session"
		bus     = dbus.ObjectPath("/org/freedesktop/DBus")
	)
	connectivity, lid := uint32(4), w.logind.closed
	if position, _ := w.network.internet(); position == "online" {
		connectivity = 1
	}
	display, locked := w.sb.Login1.Session(), w.lock == "locked"
	ask := map[bool]string{false: "Lock", true: "Unlock"}[locked]
	return slices.Concat(
		[]*dbus.Message{changed(nmPath, nmName, map[string]dbus.Variant{"Connectivity": dbus.MakeVariant(connectivity)})},
		[]*dbus.Message{changed(nmPath, nmName, map[string]dbus.Variant{"State": dbus.MakeVariant(uint32(10))})},
		[]*dbus.Message{changed(login1, manager, map[string]dbus.Variant{"LidClosed": dbus.MakeVariant(!lid)})},
		[]*dbus.Message{changed(login1, manager, map[string]dbus.Variant{"PreparingForSleep": dbus.MakeVariant(!w.logind.asleep)})},
		[]*dbus.Message{signal(destination, login1, manager, "PrepareForSleep", !w.logind.asleep)},
		[]*dbus.Message{signal(destination, display, session, ask)},
		[]*dbus.Message{changed(display, session, map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(!locked)})},
		[]*dbus.Message{changed(upowerPath, upowerName, map[string]dbus.Variant{"OnBattery": dbus.MakeVariant(!w.power.battery)})},
		[]*dbus.Message{changed(nmPath, nmName, map[string]dbus.Variant{"Metered": dbus.MakeVariant(w.network.metered%2 + 1)})},
		[]*dbus.Message{changed(nmPath, nmName, map[string]dbus.Variant{"ActiveConnections": dbus.MakeVariant([]dbus.ObjectPath{})})},
		[]*dbus.Message{signal(destination, bus, busName, "NameOwnerChanged", nmName, ":1.1", "")},
		[]*dbus.Message{signal(destination, bus, busName, "NameOwnerChanged", "org.freedesktop.login1", ":1.1", "")},
	)
}

func signal(destination string, path dbus.ObjectPath, ifc, member string, body ...any) *dbus.Message {
	message := &dbus.Message{
		Type: dbus.TypeSignal,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(destination),
			dbus.FieldPath:        dbus.MakeVariant(path),
			dbus.FieldInterface:   dbus.MakeVariant(ifc),
			dbus.FieldMember:      dbus.MakeVariant(member),
		},
		Body: body,
	}
	if len(body) > 0 {
		message.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	return message
}
