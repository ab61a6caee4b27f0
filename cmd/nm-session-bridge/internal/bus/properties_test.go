package bus

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestAPropertyOfAnotherTypeIsNone(t *testing.T) {
	p := Properties{"Number": dbus.MakeVariant(uint32(7)), "Text": dbus.MakeVariant("7")}
	if value, ok := Property[uint32](p, "Number"); !ok || value != 7 {
		t.Errorf("Number is %d, %t", value, ok)
	}
	for _, name := range []string{"Number", "Missing"} {
		if value, ok := Property[string](p, name); ok || value != "" {
			t.Errorf("%s is %q, %t", name, value, ok)
		}
	}
}
