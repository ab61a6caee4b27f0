package observers

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// emitsChangedAnnotation says whether a property's changes are signalled:
// "true" (the default), "invalidates", "const" or "false". On an interface it
// is the default of the interface's properties
// (https://dbus.freedesktop.org/doc/dbus-specification.html#introspection-format).
const emitsChangedAnnotation = "org.freedesktop.DBus.Property.EmitsChangedSignal"

// EmitsChangedSignal reads introspection data and returns the value of that
// annotation for each property of an interface.
func EmitsChangedSignal(data, iface string) (map[string]string, error) {
	decoder := xml.NewDecoder(strings.NewReader(data))
	emits := map[string]string{}
	inherited := "true"
	var inside bool
	var member, property string // what of the interface the decoder is in
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return emits, nil
		}
		if err != nil {
			return nil, fmt.Errorf("introspection data: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch name := attribute(t, "name"); {
			case t.Name.Local == "interface":
				inside = name == iface
			case !inside:
			case t.Name.Local != "annotation":
				if member == "" {
					member, property = t.Name.Local, name
				}
				if member == "property" {
					emits[property] = inherited
				}
			case name != emitsChangedAnnotation:
			case member == "property":
				emits[property] = attribute(t, "value")
			case member == "":
				inherited = attribute(t, "value")
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "interface":
				inside, inherited, member = false, "true", ""
			case member:
				member = ""
			}
		}
	}
}

func attribute(element xml.StartElement, name string) string {
	for _, a := range element.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
