package observers

import (
	"fmt"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

// sessions returns a user's properties with their sessions.
func sessions(ids ...string) map[string]dbus.Variant {
	type pair struct {
		ID   string
		Path dbus.ObjectPath
	}
	list := [][]any{} // over the bus a structure arrives as a list
	for _, id := range ids {
		list = append(list, []any{id, dbus.ObjectPath(logindPath + "/session/_3" + id)})
	}
	return map[string]dbus.Variant{"Sessions": dbus.MakeVariantWithSignature(list, dbus.SignatureOf([]pair{}))}
}

// display is what logind signals of a user when a session begins or has ended.
func display(id string) map[string]dbus.Variant {
	pair := []any{id, dbus.ObjectPath(logindPath + "/session/_3" + id)}
	return map[string]dbus.Variant{"Display": dbus.MakeVariantWithSignature(pair, dbus.ParseSignatureMust("(so)"))}
}

// aSession returns a session's properties.
func aSession(kind, seat string, hint bool) map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"Id": dbus.MakeVariant("3"), "Type": dbus.MakeVariant(kind), "Class": dbus.MakeVariant("user"), "State": dbus.MakeVariant("active"),
		"Seat":       dbus.MakeVariantWithSignature([]any{seat, dbus.ObjectPath("/")}, dbus.ParseSignatureMust("(so)")),
		"LockedHint": dbus.MakeVariant(hint),
	}
}

// logind signals Display even if that is another session than the one that has
// begun or ended.
func TestEverySessionOfTheUserIsRead(t *testing.T) {
	w := observe(t, Session())
	w.owner(":1.1")
	bustest.Answer(w.called("GetAll"), 1, nil, sessions("1", "2"))
	bustest.Answer(w.called("GetAll"), 2, nil, aSession("tty", "", false)) // SSH
	bustest.Answer(w.called("GetAll"), 3, nil, aSession("tty", "seat0", true))
	facts := w.hears()
	if len(facts.Children()) != 2 || isScreen(facts.Children()[0]) || !isScreen(facts.Children()[1]) {
		t.Fatalf("heard %+v", facts)
	}
	w.changed(4, display("1")) // session 2 has ended, and another begun
	bustest.Answer(w.called("GetAll"), 5, nil, sessions("1", "4"))
	bustest.Answer(w.called("GetAll"), 6, nil, aSession("tty", "", false))
	bustest.Answer(w.called("GetAll"), 7, nil, aSession("wayland", "seat0", false))
	facts = w.hears()
	if got := len(facts.Children()); got != 2 || facts.Children()[1].Path != logindPath+"/session/_34" {
		t.Errorf("heard %+v", facts)
	}
	w.objectChanged(8, logindPath+"/session/_34", logindName+".Session", map[string]dbus.Variant{"Type": dbus.MakeVariant("tty")})
	if kind, _ := w.hears().Children()[1].Text("Type"); kind != "tty" {
		t.Errorf("its type is %s", kind)
	}
}

func TestAUserThatLogindDoesNotKnowHasNoSession(t *testing.T) {
	unknown := dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownObject"}
	w := observe(t, Session())
	w.owner(":1.1")
	for range 5 { // as long as logind may only be starting
		bustest.Answer(w.called("GetAll"), 1, unknown)
	}
	if facts := w.hears(); facts.Problem != "" || len(facts.Children()) != 0 {
		t.Errorf("heard %+v", facts)
	}
	if w.log.Len() > 0 {
		t.Errorf("logged %s", w.log)
	}
	w.changed(2, display("3")) // a login
	bustest.Answer(w.called("GetAll"), 3, nil, sessions("3"))
	bustest.Answer(w.called("GetAll"), 4, nil, aSession("x11", "seat0", false))
	if facts := w.hears(); len(facts.Children()) != 1 {
		t.Errorf("heard %+v", facts)
	}
}

func TestEachLockIsARequest(t *testing.T) {
	w := observe(t, Session())
	w.owner(":1.1")
	bustest.Answer(w.called("GetAll"), 1, nil, sessions("3"))
	bustest.Answer(w.called("GetAll"), 2, nil, aSession("x11", "seat0", false))
	w.hears()
	var last dbus.Sequence
	for sequence, test := range []struct {
		member  string
		request bool
	}{{"Lock", true}, {"Lock", true}, {"Unlock", false}, {"Lock", true}} {
		w.signal(&dbus.Signal{Sender: ":1.1", Path: logindPath + "/session/_33", Name: logindName + ".Session." + test.member, Sequence: dbus.Sequence(sequence + 3)})
		got := lock()(Snapshot{session: w.hears()}, Present{})
		if isNew := got.Request > last; isNew != test.request || (got.Position == "locked") != test.request {
			t.Errorf("%s makes %+v after %d", test.member, got, last)
		}
		last = got.Request
	}
}

// Nothing else would tell of it: a session that has just begun is read only after
// its user has named it.
func TestALockBeforeTheSessionIsReadIsHeard(t *testing.T) {
	said := func(w *watch, number, member string, sequence dbus.Sequence) {
		w.signal(&dbus.Signal{Sender: ":1.1", Path: dbus.ObjectPath(logindPath + "/session/_3" + number), Name: logindName + ".Session." + member, Sequence: sequence})
	}
	for name, test := range map[string]struct {
		before, after string // its user has named it
		want          any
	}{
		"Lock":             {"Lock", "", true},
		"Unlock":           {"Unlock", "", false},
		"nothing":          {"", "", nil},
		"Lock, Unlock":     {"Lock", "Unlock", false},
		"something else":   {"PauseDevice", "", nil},
		"Lock, at the end": {"", "Lock", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := observe(t, Session())
			w.owner(":1.1")
			user := w.called("GetAll")
			said(w, "9", "Lock", 2) // another user's
			if test.before != "" {
				said(w, "3", test.before, 3)
			}
			bustest.Answer(user, 4, nil, sessions("3"))
			session := w.called("GetAll")
			if test.after != "" {
				said(w, "3", test.after, 5)
			}
			bustest.Answer(session, 6, nil, aSession("x11", "seat0", false))
			if got := w.hears().Children()[0].values[saidLast]; got != test.want {
				t.Errorf("it said %v", got)
			}
			if left := len(w.observer.early); left > 0 {
				t.Errorf("%d other sessions are remembered", left)
			}
		})
	}
}

func TestWhatIsRememberedOfOtherSessionsIsBounded(t *testing.T) {
	w := newWatch(t, Session())
	for i := range 2 * mostEarly {
		w.observer.early.keep(&dbus.Signal{Path: dbus.ObjectPath(fmt.Sprint(i)), Sequence: dbus.Sequence(i)})
	}
	if kept := len(w.observer.early); kept != mostEarly {
		t.Errorf("%d are remembered", kept)
	}
	w.observer.early.tell(w.observer.root, func(path dbus.ObjectPath) bool { return path != "1" })
	if kept := len(w.observer.early); kept != 1 {
		t.Errorf("%d are remembered after everything was read", kept)
	}
}

func TestLogindIsAskedWhatItSignals(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	bustest.Answer(w.called("Introspect"), 1, nil, silentLid)
	bustest.Answer(w.called("GetAll"), 2, nil, lidClosed(true))
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
	bustest.Answer(w.called("Introspect"), 1, nil, silentLid)
	bustest.Answer(w.called("GetAll"), 2, nil, lidClosed(false))
	w.hears()
	w.signal(&dbus.Signal{Path: w.source.Root.Path, Name: w.source.Root.Interface + ".PrepareForSleep", Body: []any{true}, Sequence: 3})
	w.hears() // the request
	bustest.Answer(w.called("GetAll"), 4, nil, lidClosed(true))
	if closed, known := w.hears().Bool("LidClosed"); !known || !closed {
		t.Errorf("closed %t, known %t", closed, known)
	}
}
