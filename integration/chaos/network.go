package chaos

import (
	"context"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	nmName     = "org.freedesktop.NetworkManager"
	nmPath     = dbus.ObjectPath("/org/freedesktop/NetworkManager")
	busName    = "org.freedesktop.DBus"
	properties = "org.freedesktop.DBus.Properties"
)

// network is what NetworkManager says.
type network struct {
	present             bool
	state, connectivity uint32
}

// retry is how long after a failure something is tried again.
const retry = 50 * time.Millisecond

// recordNetwork sends everything that NetworkManager says, in order, until the context ends.
func recordNetwork(ctx context.Context, bus *sandbox.SystemBus, out chan<- network) {
	for ctx.Err() == nil {
		conn, err := bus.Connect(ctx)
		if err == nil {
			_ = followNetwork(ctx, conn, out) // tried again
			_ = conn.Close()
		}
		send(ctx, out, network{})
		pause(ctx, retry)
	}
}

func followNetwork(ctx context.Context, conn *dbus.Conn, out chan<- network) error {
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(nmName), dbus.WithMatchObjectPath(nmPath), dbus.WithMatchInterface(properties)},
		{dbus.WithMatchSender(busName), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, nmName)},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			return err
		}
	}
	now, read := network{}, time.After(0)
	for {
		before := now
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-read:
			read = nil
			fresh, err := readNetwork(ctx, conn)
			var owned bool
			_ = conn.BusObject().CallWithContext(ctx, busName+".NameHasOwner", 0, nmName).Store(&owned) // false then
			if err == nil {
				now = fresh
			} else if owned {
				read = time.After(retry) // its objects are not there yet
			}
		case signal, open := <-signals:
			switch {
			case !open:
				return dbus.ErrClosed
			case signal.Name == busName+".NameOwnerChanged":
				now, read = network{}, time.After(0)
			case signal.Name == properties+".PropertiesChanged":
				now = now.changed(signal)
			}
		}
		if now != before {
			send(ctx, out, now)
		}
	}
}

// changed takes the values of a PropertiesChanged signal in.
func (n network) changed(signal *dbus.Signal) network {
	var ifc string
	var values map[string]dbus.Variant
	if dbus.Store(signal.Body[:2], &ifc, &values) != nil || ifc != nmName {
		return n
	}
	if v, ok := values["State"].Value().(uint32); ok {
		n.state, n.present = v, true
	}
	if v, ok := values["Connectivity"].Value().(uint32); ok {
		n.connectivity, n.present = v, true
	}
	return n
}

func readNetwork(ctx context.Context, conn *dbus.Conn) (network, error) {
	var all map[string]dbus.Variant
	err := conn.Object(nmName, nmPath).CallWithContext(ctx, properties+".GetAll", dbus.FlagNoAutoStart, nmName).Store(&all)
	if err != nil {
		return network{}, err
	}
	n := network{present: true}
	n.state, _ = all["State"].Value().(uint32)
	n.connectivity, _ = all["Connectivity"].Value().(uint32)
	return n, nil
}

func send[T any](ctx context.Context, out chan<- T, value T) {
	select {
	case out <- value:
	case <-ctx.Done():
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
