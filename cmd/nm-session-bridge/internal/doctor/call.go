package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
)

// callTimeout bounds a call. A service that takes longer counts as not answering.
const callTimeout = 5 * time.Second

const busName = "org.freedesktop.DBus"

// object is an object of a service on a bus. Its calls never start the service.
type object struct {
	conn *dbus.Conn
	name string
	path dbus.ObjectPath
}

func theBus(conn *dbus.Conn) object { return object{conn, busName, "/org/freedesktop/DBus"} }

func (o object) at(path dbus.ObjectPath) object { return object{o.conn, o.name, path} }

// call calls a method, named with its interface, and stores what it returns.
func (o object) call(ctx context.Context, method string, into any, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return o.conn.Object(o.name, o.path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...).Store(into)
}

// all reads the properties of an interface, or of all interfaces if it is "".
func (o object) all(ctx context.Context, iface string) (properties, error) {
	var all properties
	err := o.call(ctx, busName+".Properties.GetAll", &all, iface)
	return all, err
}

// names returns the names that a method of the bus returns.
func names(ctx context.Context, conn *dbus.Conn, method string) ([]string, error) {
	var names []string
	err := theBus(conn).call(ctx, busName+"."+method, &names)
	return names, err
}

// properties are the properties of an object. A property that does not exist, or has
// another type than asked for, reads as the zero value.
type properties bus.Properties

func property[T any](p properties, name string) T {
	value, _ := bus.Property[T](bus.Properties(p), name)
	return value
}

func (p properties) text(name string) string    { return property[string](p, name) }
func (p properties) texts(name string) []string { return property[[]string](p, name) }
func (p properties) is(name string) bool        { return property[bool](p, name) }

// nobody reports whether a call failed because nobody owns the service's name.
func nobody(err error) bool {
	var refusal dbus.Error
	return errors.As(err, &refusal) && (refusal.Name == busName+".Error.ServiceUnknown" || refusal.Name == busName+".Error.NameHasNoOwner")
}
