package observers

import (
	"encoding/xml"
	"fmt"

	"github.com/godbus/dbus/v5/introspect"
)

// emitsChangedAnnotation says whether changes of a property are signalled: "true"
// (the default), "invalidates", "const" or "false". On an interface it is the
// default of the interface's properties
// (https://dbus.freedesktop.org/doc/dbus-specification.html#introspection-format).
const emitsChangedAnnotation = "org.freedesktop.DBus.Property.EmitsChangedSignal"

// EmitsChangedSignal returns, from introspection data, the value of that annotation
// for each property of an interface.
func EmitsChangedSignal(data, iface string) (map[string]string, error) {
	var node introspect.Node
	if err := xml.Unmarshal([]byte(data), &node); err != nil {
		return nil, fmt.Errorf("cannot read introspection data: %w", err)
	}
	emits := map[string]string{}
	for _, one := range node.Interfaces {
		if one.Name != iface {
			continue
		}
		inherited := emitsChanged(one.Annotations, "true")
		for _, property := range one.Properties {
			emits[property.Name] = emitsChanged(property.Annotations, inherited)
		}
	}
	return emits, nil
}

// emitsChanged returns the value of the annotation, or what is inherited if there
// is none.
func emitsChanged(annotations []introspect.Annotation, inherited string) string {
	value := inherited
	for _, annotation := range annotations {
		if annotation.Name == emitsChangedAnnotation {
			value = annotation.Value
		}
	}
	return value
}
