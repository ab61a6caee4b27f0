package observers

import (
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

func TestASourceWantsItsOwnSignalsAlone(t *testing.T) {
	const session, manager = logindName + ".Session.", logindName + ".Manager."
	for _, test := range []struct {
		source Source
		path   dbus.ObjectPath
		name   string
		body   []any
		isOurs bool
		edge   string
	}{
		{Logind(), logindPath, manager + "PrepareForSleep", []any{true}, true, "PrepareForSleep true"},
		{Logind(), logindPath, manager + "PrepareForSleep", []any{false}, true, "PrepareForSleep false"},
		{Logind(), logindPath, manager + "PrepareForSleep", nil, true, "PrepareForSleep false"},
		{Logind(), logindPath, manager + "PrepareForShutdown", []any{true}, true, "PrepareForShutdown true"},
		{Logind(), logindPath, propertiesChanged, nil, true, ""},
		{Logind(), logindPath, manager + "SessionNew", nil, false, ""},
		{Logind(), logindPath + "/session/_31", session + "Lock", nil, false, ""},
		{Logind(), logindPath, propertiesChanged, about(manager, "LidClosed", true), true, ""},
		{Logind(), logindPath, propertiesChanged, about(manager, "DelayInhibited", "sleep"), false, ""}, // anybody may
		{Logind(), logindPath, propertiesChanged, about(session, "LidClosed", true), false, ""},
		{Logind(), logindPath, propertiesChanged, about(manager, "LidClosed", "no bool"), true, ""},
		{Session(), logindPath, manager + "PrepareForSleep", []any{true}, false, ""},
		{Session(), logindPath, manager + "SessionNew", []any{"1", dbus.ObjectPath(logindPath + "/session/_31")}, true, ""},
		{Session(), logindPath, manager + "SessionNew", []any{"1", dbus.ObjectPath(logindPath + "/seat/seat0")}, false, ""},
		{Session(), logindPath, manager + "SessionNew", nil, false, ""},
		{Session(), logindPath, manager + "SessionRemoved", []any{"1", dbus.ObjectPath(logindPath + "/session/_31")}, false, ""},
		{Session(), logindPath + "/session/_31", manager + "SessionNew", []any{"1", dbus.ObjectPath(logindPath + "/session/_31")}, false, ""},
		{Session(), Session().Root.Path, propertiesChanged, about(logindName+".User.", "Display", ""), true, ""},
		{Session(), Session().Root.Path, propertiesChanged, about(logindName+".User.", "IdleHint", true), false, ""},
		{Session(), logindPath + "/user/_1", propertiesChanged, nil, false, ""},
		{Session(), logindPath + "/session/_31", session + "Lock", nil, true, logindPath + "/session/_31"},
		{Session(), logindPath + "/session/_31", session + "Unlock", nil, true, logindPath + "/session/_31"},
		{Session(), logindPath + "/session/_31", session + "PauseDevice", nil, false, ""},
		{Session(), logindPath + "/session/_31", propertiesChanged, nil, true, ""},
		{Session(), logindPath + "/session/_31", propertiesChanged, about(session, "LockedHint", true), true, ""},
		{Session(), logindPath + "/session/_31", propertiesChanged, about(session, "IdleSinceHint", uint64(1)), false, ""},
		{Session(), logindPath + "/session", propertiesChanged, nil, false, ""},
		{Session(), logindPath + "/seat/seat0", propertiesChanged, nil, false, ""},
		{NetworkManager(), networkManagerPath, propertiesChanged, nil, true, ""},
		{NetworkManager(), networkManagerPath + "/Devices/1", propertiesChanged, nil, false, ""},
		{NetworkManager(), networkManagerPath, networkManagerName + ".DeviceRemoved", nil, true, ""},
		{Routes(), networkManagerPath + "/Devices/1", propertiesChanged, nil, true, ""},
		{UPower(), "/org/freedesktop/UPower/devices/battery_BAT0", propertiesChanged, nil, false, ""},
	} {
		signal := &dbus.Signal{Sender: ":1.1", Path: test.path, Name: test.name, Body: test.body}
		filter := NewFilter(test.source)
		if got := filter.Wants(signal); got != test.isOurs {
			t.Errorf("%s wants %+v: %t", test.source.ID, signal, got)
		}
		if test.isOurs && !filter.Hears(signal.Sender, signal.Path) {
			t.Errorf("%s does not hear %+v", test.source.ID, signal)
		}
		if got := filter.Edge(signal); got != test.edge {
			t.Errorf("of %+v, %s keeps %q", signal, test.source.ID, got)
		}
	}
}

// about returns the body of a PropertiesChanged signal.
func about(iface, property string, value any) []any {
	return []any{strings.TrimSuffix(iface, "."), map[string]dbus.Variant{property: dbus.MakeVariant(value)}, []string{}}
}

// Signals that come faster than answers must not keep a reading from its end.
func TestAReadingUnderWayIsRepeatedAndNotBegunAnew(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	bustest.Answer(w.called("Introspect"), 1, nil, silentLid)
	bustest.Answer(w.called("GetAll"), 2, nil, lidClosed(false))
	w.hears()
	prepare := func(sequence dbus.Sequence) {
		w.signal(&dbus.Signal{Path: w.source.Root.Path, Name: w.source.Root.Interface + ".PrepareForSleep", Sequence: sequence, Body: []any{true}})
		if got := w.hears().Request(prepareForSleep); got != sequence {
			t.Errorf("the request is %d, not %d", got, sequence)
		}
	}
	prepare(3)
	first := w.called("GetAll")
	prepare(4)
	prepare(5)
	bustest.Answer(first, 6, nil, lidClosed(true))
	if closed, _ := w.hears().Bool("LidClosed"); !closed {
		t.Error("what the reading has found does not count")
	}
	bustest.Answer(w.called("GetAll"), 7, nil, lidClosed(false))
	if closed, _ := w.hears().Bool("LidClosed"); closed {
		t.Error("the reading was not repeated")
	}
	w.signal(&dbus.Signal{Path: w.source.Root.Path, Name: propertiesChanged, Body: []any{w.source.Root.Interface, map[string]dbus.Variant{}, []string{}}})
	w.signal(&dbus.Signal{Path: "/elsewhere"})
	if len(w.calls) > 0 {
		t.Errorf("it was repeated more than once: %v", <-w.calls)
	}
}

// What nothing asks for is not even decoded.
func TestOfOtherObjectsNothingIsHeard(t *testing.T) {
	for _, test := range []struct {
		source  Source
		of      dbus.ObjectPath
		isHeard bool
	}{
		{Logind(), logindPath, true},
		{Logind(), logindPath + "/session/_31", false},
		{Session(), logindPath, true}, // it announces sessions
		{Session(), logindPath + "/session/_31", true},
		{Session(), logindPath + "/sessions", false},
		{Session(), logindPath + "/seat/seat0", false},
		{Session(), logindPath + "/user/_1", false},
		{Session(), Session().Root.Path, true},
		{NetworkManager(), networkManagerPath + "/Devices/1", true}, // it may say farewell
		{NetworkManager(), networkManagerPath + "s/1", false},
		{UPower(), "/org/freedesktop/UPower/devices/battery_BAT0", false},
	} {
		if got := NewFilter(test.source).Hears(":1.1", test.of); got != test.isHeard {
			t.Errorf("%s hears of %s: %t", test.source.ID, test.of, got)
		}
	}
}
