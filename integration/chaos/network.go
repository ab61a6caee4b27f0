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
	activeName = nmName + ".Connection.Active"
	deviceName = nmName + ".Device"
	busName    = "org.freedesktop.DBus"
	properties = "org.freedesktop.DBus.Properties"
	objects    = "org.freedesktop.DBus.ObjectManager"
)

// network is what NetworkManager says.
type network struct {
	present                      bool
	state, connectivity, metered uint32
	primary                      string // the type of the connection with the default route
	// best is the most that a device with a default route reaches, and by the devices that reach it.
	best     uint32
	by       string
	vpn      bool   // whether one is up
	ended    bool   // whether one was up when NetworkManager stopped, which ended it
	profiles string // instances of the profiles that are up, in order
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
		{dbus.WithMatchSender(nmName), dbus.WithMatchInterface(objects)},
		{dbus.WithMatchSender(busName), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, nmName)},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			return err
		}
	}
	n := newRecorder(conn)
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
				n.now, read = network{ended: n.now.vpn || n.now.ended}, time.After(0)
				n.listed = nil
				clear(n.known)
				clear(n.devices)
			case signal.Name == objects+".InterfacesAdded":
				n.appeared(signal)
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
	conn    *dbus.Conn
	now     network
	listed  []dbus.ObjectPath // the active connections
	known   map[dbus.ObjectPath]profile
	devices map[dbus.ObjectPath]device
}

func newRecorder(conn *dbus.Conn) *recorder {
	return &recorder{conn: conn, known: map[dbus.ObjectPath]profile{}, devices: map[dbus.ObjectPath]device{}}
}

// changed stores the values of a PropertiesChanged signal.
func (n *recorder) changed(ctx context.Context, signal *dbus.Signal) {
	var ifc string
	var values map[string]dbus.Variant
	if dbus.Store(signal.Body[:2], &ifc, &values) != nil {
		return
	}
	p, isActive := n.known[signal.Path]
	d, isDevice := n.devices[signal.Path]
	switch {
	case signal.Path == nmPath && ifc == nmName:
		n.take(ctx, values)
	case isActive && ifc == activeName:
		p.take(values)
		n.readDevices(ctx, p)
		n.known[signal.Path] = p
	case isDevice && ifc == deviceName:
		d.take(values)
		n.devices[signal.Path] = d
	}
	n.sum()
}

// appeared stores what an InterfacesAdded signal says of an object, which may be gone again before it
// could be read.
func (n *recorder) appeared(signal *dbus.Signal) {
	var path dbus.ObjectPath
	var interfaces map[string]map[string]dbus.Variant
	if dbus.Store(signal.Body, &path, &interfaces) != nil {
		return
	}
	if values, isOne := interfaces[activeName]; isOne {
		var p profile
		p.take(values)
		n.known[path] = p
	}
	if values, isOne := interfaces[deviceName]; isOne {
		var d device
		d.take(values)
		n.devices[path] = d
	}
}

// sum combines what is known about the active connections.
func (n *recorder) sum() {
	active := map[dbus.ObjectPath]profile{}
	for _, path := range n.listed {
		active[path] = n.known[path]
	}
	n.now.takeProfiles(active)
	n.now.takeLinks(active, n.devices)
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
			*into, n.now.present, n.now.ended = v, true, false
		}
	}
	store(values["PrimaryConnectionType"], &n.now.primary)
	paths, named := values["ActiveConnections"].Value().([]dbus.ObjectPath)
	if !named {
		return
	}
	n.listed = paths
	for _, path := range paths {
		if _, isKnown := n.known[path]; isKnown {
			continue
		}
		all, err := n.readAll(ctx, path, activeName)
		if err != nil {
			continue // gone already
		}
		var p profile
		p.take(all)
		n.readDevices(ctx, p)
		n.known[path] = p
	}
	n.sum()
}

// readDevices reads the devices of a connection that are new.
func (n *recorder) readDevices(ctx context.Context, p profile) {
	for _, path := range p.devices {
		if _, known := n.devices[path]; known {
			continue
		}
		if all, err := n.readAll(ctx, path, deviceName); err == nil {
			var d device
			d.take(all)
			n.devices[path] = d
		}
	}
}

// take stores properties of an active connection.
func (p *profile) take(values map[string]dbus.Variant) {
	store(values["Id"], &p.name)
	store(values["Type"], &p.kind)
	store(values["Vpn"], &p.vpn)
	store(values["State"], &p.state)
	store(values["Default"], &p.routes4)
	store(values["Default6"], &p.routes6)
	store(values["Devices"], &p.devices)
}

// take stores properties of a device.
func (d *device) take(values map[string]dbus.Variant) {
	store(values["Interface"], &d.name)
	store(values["Ip4Connectivity"], &d.reaches4)
	store(values["Ip6Connectivity"], &d.reaches6)
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
	n := newRecorder(conn)
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
