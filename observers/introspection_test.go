package observers

import (
	"os"
	"testing"
)

// The data was recorded from real loginds.
func TestWhetherLogindSignalsTheLid(t *testing.T) {
	for file, want := range map[string]string{"login1-252.xml": "false", "login1-257.xml": "true"} {
		data, err := os.ReadFile("../integration/fakes/" + file)
		if err != nil {
			t.Fatal(err)
		}
		emits, err := EmitsChangedSignal(string(data), Logind().Root.Interface)
		if err != nil {
			t.Fatal(err)
		}
		if got := emits["LidClosed"]; got != want {
			t.Errorf("%s: LidClosed emits %q, want %q", file, got, want)
		}
		if got := emits["InhibitDelayMaxUSec"]; got != "const" {
			t.Errorf("%s: InhibitDelayMaxUSec emits %q, want const", file, got)
		}
	}
}

func TestEmitsChangedSignalIsInherited(t *testing.T) {
	const data = `<node><interface name="other"><property name="A"/></interface><interface name="x">
<annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="invalidates"/>
<property name="A"/><property name="B"><annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="true"/></property>
</interface></node>`
	got, err := EmitsChangedSignal(data, "x")
	if err != nil || len(got) != 2 || got["A"] != "invalidates" || got["B"] != "true" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := EmitsChangedSignal("<node><interface", "x"); err == nil {
		t.Error("broken data gave no error")
	}
}
