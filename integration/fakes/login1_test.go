package fakes

import (
	"encoding/xml"
	"testing"

	"github.com/godbus/dbus/v5/introspect"
)

// TestRecordingsAgree compares the recorded introspection of each generation with its recorded
// properties.
func TestRecordingsAgree(t *testing.T) {
	for generation, signalsLid := range map[Generation]bool{Logind252: false, Logind257: true, Logind262: true} {
		l, err := NewLogin1("", generation)
		if err != nil {
			t.Fatal(err)
		}
		var node introspect.Node
		if err := xml.Unmarshal([]byte(l.xml), &node); err != nil {
			t.Fatal(err)
		}
		declared := 0
		for _, ifc := range node.Interfaces {
			if ifc.Name != login1Manager {
				continue
			}
			declared += len(ifc.Properties)
			for _, property := range ifc.Properties {
				if got := l.properties[property.Name].Signature().String(); got != property.Type {
					t.Errorf("%s: %s is declared as %q and recorded as %q", generation, property.Name, property.Type, got)
				}
			}
		}
		if declared != len(l.properties) || declared == 0 {
			t.Errorf("%s: %d properties are declared and %d recorded", generation, declared, len(l.properties))
		}
		if l.emits["LidClosed"] != signalsLid {
			t.Errorf("%s: signals LidClosed: %t", generation, l.emits["LidClosed"])
		}
	}
}

func TestUnknownGeneration(t *testing.T) {
	if _, err := NewLogin1("", "1"); err == nil {
		t.Error("a logind that was never recorded is imitated")
	}
}
