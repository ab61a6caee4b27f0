package bus

import "github.com/godbus/dbus/v5"

// Properties holds the properties of an object by name.
type Properties map[string]dbus.Variant

// Property returns the property with a name. ok is false if there is none or it
// has another type. Unlike [dbus.Variant.Store], it converts nothing.
func Property[T any](p Properties, name string) (value T, ok bool) {
	value, ok = p[name].Value().(T)
	return value, ok
}
