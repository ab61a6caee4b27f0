package chaos

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	nmName     = "org.freedesktop.NetworkManager"
	nmPath     = dbus.ObjectPath("/org/freedesktop/NetworkManager")
	activeName = nmName + ".Connection.Active"
	busName    = "org.freedesktop.DBus"
	properties = "org.freedesktop.DBus.Properties"
)

// network is what NetworkManager says.
type network struct {
	present                      bool
	state, connectivity, metered uint32
	vpn                          bool   // whether one is up
	profiles                     string // instances of the profiles that are up, in order
}

// retry is the pause after a failure.
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
	signals := make(chan *dbus.Signal, 1024)
	conn.Signal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(nmName), dbus.WithMatchInterface(properties)},
		{dbus.WithMatchSender(busName), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, nmName)},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			return err
		}
	}
	n := recorder{conn: conn, active: map[dbus.ObjectPath]profile{}}
	read := time.After(0)
	for {
		before := n.now
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-read:
			read = nil
			err := n.read(ctx)
			var owned bool
			_ = conn.BusObject().CallWithContext(ctx, busName+".NameHasOwner", 0, nmName).Store(&owned) // false then
			if err != nil && owned {
				read = time.After(retry) // its objects are not there yet
			}
		case signal, open := <-signals:
			switch {
			case !open:
				return dbus.ErrClosed
			case signal.Name == busName+".NameOwnerChanged":
				n.now, read = network{}, time.After(0)
				clear(n.active)
			case signal.Name == properties+".PropertiesChanged":
				n.changed(ctx, signal)
			}
		}
		if n.now != before {
			send(ctx, out, n.now)
		}
	}
}

// recorder keeps what NetworkManager has said.
type recorder struct {
	conn   *dbus.Conn
	now    network
	active map[dbus.ObjectPath]profile
}

// changed stores the values of a PropertiesChanged signal.
func (n *recorder) changed(ctx context.Context, signal *dbus.Signal) {
	var ifc string
	var values map[string]dbus.Variant
	if dbus.Store(signal.Body[:2], &ifc, &values) != nil {
		return
	}
	p, isActive := n.active[signal.Path]
	switch {
	case signal.Path == nmPath && ifc == nmName:
		n.take(ctx, values)
	case isActive && ifc == activeName:
		p.take(values)
		n.active[signal.Path] = p
		n.now.takeProfiles(n.active)
	}
}

func (n *recorder) read(ctx context.Context) error {
	all, err := n.readAll(ctx, nmPath, nmName)
	if err == nil {
		n.take(ctx, all)
	}
	return err
}

// take stores properties of the manager, and reads connections that are new.
func (n *recorder) take(ctx context.Context, values map[string]dbus.Variant) {
	for name, into := range map[string]*uint32{"State": &n.now.state, "Connectivity": &n.now.connectivity, "Metered": &n.now.metered} {
		if v, ok := values[name].Value().(uint32); ok {
			*into, n.now.present = v, true
		}
	}
	paths, named := values["ActiveConnections"].Value().([]dbus.ObjectPath)
	if !named {
		return
	}
	maps.DeleteFunc(n.active, func(path dbus.ObjectPath, _ profile) bool { return !slices.Contains(paths, path) })
	for _, path := range paths {
		if _, known := n.active[path]; known {
			continue
		}
		all, err := n.readAll(ctx, path, activeName)
		if err != nil {
			continue // gone already
		}
		var p profile
		p.take(all)
		n.active[path] = p
	}
	n.now.takeProfiles(n.active)
}

// take stores properties of an active connection.
func (p *profile) take(values map[string]dbus.Variant) {
	store(values["Id"], &p.name)
	store(values["Type"], &p.kind)
	store(values["Vpn"], &p.vpn)
	store(values["State"], &p.state)
}

// store stores a value, if it exists.
func store[T any](from dbus.Variant, into *T) {
	if v, ok := from.Value().(T); ok {
		*into = v
	}
}

func (n *recorder) readAll(ctx context.Context, path dbus.ObjectPath, ifc string) (all map[string]dbus.Variant, err error) {
	err = n.conn.Object(nmName, path).CallWithContext(ctx, properties+".GetAll", dbus.FlagNoAutoStart, ifc).Store(&all)
	return all, err
}

// readNetwork reads the present state.
func readNetwork(ctx context.Context, conn *dbus.Conn) (network, error) {
	n := recorder{conn: conn, active: map[dbus.ObjectPath]profile{}}
	err := n.read(ctx)
	return n.now, err
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
