package systemdctl

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

// properties are a unit's properties as D-Bus answers and signals carry them.
//
// They are read by hand: dbus.Store would turn a number into a string, and
// dbus.SignatureOf panics on types that have no signature.
type properties map[string]dbus.Variant

// property returns the property with a name, and reports whether it exists. A
// property of another type is an error.
func property[T any](p properties, name string) (value T, told bool, err error) {
	v, told := p[name]
	if !told {
		return value, false, nil
	}
	value, ok := v.Value().(T)
	if !ok {
		return value, false, fmt.Errorf("the property %s is a %T, not a %T", name, v.Value(), value)
	}
	return value, true, nil
}

// must stores the property with a name. A missing property is an error.
func must[T any](p properties, name string, into *T) error {
	value, told, err := property[T](p, name)
	if err == nil && !told {
		err = fmt.Errorf("the property %s is missing", name)
	}
	*into = value
	return err
}

// text returns a property of D-Bus type s, or "" if there is none.
func (p properties) text(name string) string {
	words, _, _ := property[string](p, name)
	return words
}

// time returns a property in microseconds since 1970, 0 for never.
func (p properties) time(name string) time.Time {
	micros, _, _ := property[uint64](p, name)
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(micros))
}

// allProperties returns the properties in an answer to GetAll.
func allProperties(call *dbus.Call) (properties, error) {
	if call.Err != nil {
		return nil, call.Err
	}
	if len(call.Body) == 1 {
		if all, ok := call.Body[0].(map[string]dbus.Variant); ok {
			return all, nil
		}
	}
	return nil, errors.New("the answer holds no properties")
}

// changedProperties returns the changed properties of some interfaces in the body
// of a PropertiesChanged signal: the interface, the changed properties, and the
// names of invalidated ones
// (https://dbus.freedesktop.org/doc/dbus-specification.html#standard-interfaces-properties).
func changedProperties(body []any, interfaces ...string) (properties, error) {
	if len(body) != 3 {
		return nil, fmt.Errorf("it has %d arguments", len(body))
	}
	iface, isString := body[0].(string)
	changed, isMap := body[1].(map[string]dbus.Variant)
	_, isList := body[2].([]string)
	if !isString || !isMap || !isList {
		return nil, fmt.Errorf("its arguments are %T, %T and %T", body[0], body[1], body[2])
	}
	if !slices.Contains(interfaces, iface) {
		return nil, nil
	}
	return changed, nil
}

// idAndPath returns the fields of a D-Bus structure (uo).
func idAndPath(fields []any) (id uint32, path dbus.ObjectPath, err error) {
	if len(fields) != 2 {
		return 0, "", fmt.Errorf("it has %d fields", len(fields))
	}
	id, isID := fields[0].(uint32)
	path, isPath := fields[1].(dbus.ObjectPath)
	if !isID || !isPath {
		return 0, "", fmt.Errorf("its fields are %T and %T", fields[0], fields[1])
	}
	return id, path, nil
}
