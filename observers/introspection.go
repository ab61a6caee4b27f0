package observers

import (
	"encoding/xml"
	"fmt"
)

// emitsChangedAnnotation says whether changes of a property are signalled: "true"
// (the default), "invalidates", "const" or "false". On an interface it is the
// default of the interface's properties
// (https://dbus.freedesktop.org/doc/dbus-specification.html#introspection-format).
const emitsChangedAnnotation = "org.freedesktop.DBus.Property.EmitsChangedSignal"

// introspection is the part of introspection data that matters here. Parsing skips the
// rest, which is most of it.
type introspection struct {
	XMLName    xml.Name `xml:"node"`
	Interfaces []struct {
		Name        string       `xml:"name,attr"`
		Annotations []annotation `xml:"annotation"`
		Properties  []struct {
			Name        string       `xml:"name,attr"`
			Annotations []annotation `xml:"annotation"`
		} `xml:"property"`
	} `xml:"interface"`
}

type annotation struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// EmitsChangedSignal returns, from introspection data, the value of that annotation
// for each property of an interface.
func EmitsChangedSignal(data, iface string) (map[string]string, error) {
	var node introspection
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
func emitsChanged(annotations []annotation, inherited string) string {
	value := inherited
	for _, annotation := range annotations {
		if annotation.Name == emitsChangedAnnotation {
			value = annotation.Value
		}
	}
	return value
}
