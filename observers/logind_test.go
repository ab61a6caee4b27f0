package observers

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

// display returns a user's properties with a Display, which is / if there is no
// session.
func display(path dbus.ObjectPath) map[string]dbus.Variant {
	type pair struct {
		ID   string
		Path dbus.ObjectPath
	}
	// Over the bus a structure arrives as a list.
	return map[string]dbus.Variant{"Display": dbus.MakeVariantWithSignature([]any{"3", path}, dbus.SignatureOf(pair{}))}
}

func TestADisplayThatIsSignalledIsRead(t *testing.T) {
	w := observe(t, Session())
	w.owner(":1.1")
	answer(w.called("GetAll"), 1, nil, display("/session/_33"))
	answer(w.called("GetAll"), 2, nil, map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(true)})
	if facts := w.hears(); len(facts.Children()) != 1 {
		t.Fatalf("heard %+v", facts)
	}
	w.changed(3, display("/session/_33")) // the session has ended
	answer(w.called("GetAll"), 4, nil, display("/"))
	if facts := w.hears(); facts.Problem != "" || len(facts.Children()) != 0 {
		t.Errorf("heard %+v", facts)
	}
}

func TestAUserThatLogindDoesNotKnowHasNoSession(t *testing.T) {
	unknown := dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownObject"}
	w := observe(t, Session())
	w.owner(":1.1")
	for range 5 { // as long as logind may only be starting
		answer(w.called("GetAll"), 1, unknown)
	}
	if facts := w.hears(); facts.Problem != "" || len(facts.Children()) != 0 {
		t.Errorf("heard %+v", facts)
	}
	if w.log.Len() > 0 {
		t.Errorf("logged %s", w.log)
	}
	w.changed(2, display("/session/_33")) // a login
	answer(w.called("GetAll"), 3, nil, display("/session/_33"))
	answer(w.called("GetAll"), 4, nil, map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(false)})
	if facts := w.hears(); len(facts.Children()) != 1 {
		t.Errorf("heard %+v", facts)
	}
}

func TestEachLockIsARequest(t *testing.T) {
	w := observe(t, Session())
	w.owner(":1.1")
	answer(w.called("GetAll"), 1, nil, display("/session/_33"))
	answer(w.called("GetAll"), 2, nil, map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(false)})
	w.hears()
	var last dbus.Sequence
	for sequence, test := range []struct {
		member  string
		request bool
	}{{"Lock", true}, {"Lock", true}, {"Unlock", false}, {"Lock", true}} {
		w.signal(&dbus.Signal{Sender: ":1.1", Path: "/session/_33", Name: logindName + ".Session." + test.member, Sequence: dbus.Sequence(sequence + 3)})
		got := lock(policy())(Snapshot{session: w.hears()})
		if isNew := got.Request > last; isNew != test.request || (got.Position == "locked") != test.request {
			t.Errorf("%s makes %+v after %d", test.member, got, last)
		}
		last = got.Request
	}
}

func TestLogindIsAskedWhatItSignals(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	answer(w.called("Introspect"), 1, nil, silentLid)
	answer(w.called("GetAll"), 2, nil, lidClosed(true))
	if facts := w.hears(); facts.Signalled("LidClosed") || facts.Polled("LidClosed") {
		t.Errorf("heard %+v", facts)
	}
}

const silentLid = `<node><interface name="org.freedesktop.login1.Manager"><property name="LidClosed">
<annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/></property></interface></node>`

func lidClosed(closed bool) map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"LidClosed": dbus.MakeVariant(closed), "PreparingForSleep": dbus.MakeVariant(false), "OnExternalPower": dbus.MakeVariant(true),
	}
}

func TestLogindIsReadAgainBeforeSleep(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	answer(w.called("Introspect"), 1, nil, silentLid)
	answer(w.called("GetAll"), 2, nil, lidClosed(false))
	w.hears()
	w.signal(&dbus.Signal{Path: w.source.Root.Path, Name: w.source.Root.Interface + ".PrepareForSleep", Body: []any{true}})
	answer(w.called("GetAll"), 3, nil, lidClosed(true))
	if closed, known := w.hears().Bool("LidClosed"); !known || !closed {
		t.Errorf("closed %t, known %t", closed, known)
	}
}
