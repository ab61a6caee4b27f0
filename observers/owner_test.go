package observers

import (
	"fmt"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

func ids(facts Facts) (ids []string) {
	for _, child := range facts.Children() {
		id, _ := child.Text("Id")
		ids = append(ids, id)
	}
	return ids
}

func TestANewOwnerTellsEverythingItself(t *testing.T) {
	w := observe(t, NetworkManager())
	w.online()
	w.owner(":1.2")
	w.hearsProblem("NetworkManager is starting")
	bustest.Answer(w.called("GetAll"), 5, nil, map[string]dbus.Variant{"Connectivity": dbus.MakeVariant(uint32(1))})
	if facts := w.hears(); facts.Owner != ":1.2" || len(facts.values) != 1 {
		t.Errorf("heard %+v, which the new owner has not told", facts)
	}
}

func TestAnAnswerOfTheLastOwnerCountsNoLonger(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner(":1.1")
	late := w.called("GetAll")
	w.owner("")
	w.hearsProblem("NetworkManager is not running")
	bustest.Answer(late, 1, nil, all(4, 70))
	for range 20 { // so that the answer would be taken
		w.signal(&dbus.Signal{Path: "/elsewhere", Name: propertiesChanged})
	}
	w.owner(":1.2")
	w.hearsProblem("NetworkManager is starting")
	bustest.Answer(w.called("GetAll"), 5, nil, all(1, 20))
	w.hearsConnectivity(1)
}

func TestObjectsOfTheLastOwnerAreReadBeforeTheyCount(t *testing.T) {
	w := observe(t, Connections())
	for number, call := range w.many(2) {
		named(call, number)
	}
	w.hears()
	w.owner(":1.2")
	w.hearsProblem("NetworkManager is starting")
	for number, call := range w.naming(w.called("GetAll"), 2) {
		named(call, 7+number)
	}
	if got := fmt.Sprint(ids(w.hears())); got != "[profile 7 profile 8]" {
		t.Errorf("heard of %s", got)
	}
}

func TestANewOwnerIsIntrospectedAndHasItsOwnRetries(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	bustest.Answer(w.called("Introspect"), 1, nil, "<node/>")
	bustest.Answer(w.called("GetAll"), 2, nil, map[string]dbus.Variant{"LidClosed": dbus.MakeVariant(false)})
	w.hears()
	w.observer.Reread(1)
	bustest.Answer(w.called("GetAll"), 3, dbus.ErrClosed)
	again := w.called("GetAll") // the failure has been taken
	w.owner(":1.2")
	w.hearsProblem("logind is starting")
	if got := w.observer.calls.backoff; got != firstRetry {
		t.Errorf("the next pause would be %v", got)
	}
	bustest.Answer(again, 4, dbus.ErrClosed)
	w.called("Introspect")
}

func TestAnObjectThatIsBackIsRead(t *testing.T) {
	w := observe(t, Connections())
	calls := w.many(2)
	named(calls[0], 0)
	bustest.Answer(calls[1], 3, dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownObject"})
	if got := fmt.Sprint(ids(w.hears())); got != "[profile 0]" {
		t.Fatalf("heard of %s", got)
	}
	w.observer.Reread(1)
	for number, call := range w.naming(w.called("GetAll"), 2) {
		named(call, number)
	}
	if got := fmt.Sprint(ids(w.hears())); got != "[profile 0 profile 1]" {
		t.Errorf("heard of %s", got)
	}
}

func TestAServiceThatIsStoppingIsAskedOnceMore(t *testing.T) {
	w := observe(t, NetworkManager())
	w.online()
	w.signal(&dbus.Signal{
		Path: networkManagerPath, Name: networkManagerInterface + ".DeviceRemoved",
		Body: []any{dbus.ObjectPath(networkManagerPath + "/Devices/1")},
	})
	w.hearsProblem("NetworkManager is stopping")
	if !w.observer.calls.isPause {
		t.Error("nothing would be asked if it stayed")
	}
}

// Otherwise the hint that a new bridge reads first would unlock what is locked.
func TestTheFirstHintOfASessionIsNoNews(t *testing.T) {
	hint := func(locked bool) map[string]dbus.Variant {
		return map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(locked)}
	}
	kind := Kind{
		Path: "/session", Interface: "org.example.Session", Properties: map[string]string{"LockedHint": "b"},
		Latest: &Latest{Name: saidLast, Property: "LockedHint"},
	}
	one := newObject(&kind, "/session/1")
	for i, test := range []struct {
		told       bool
		said, news bool
	}{{told: false}, {told: false}, {told: true, said: true, news: true}, {told: false, said: false, news: true}} {
		picked, err := kind.pick(hint(test.told))
		if err != nil {
			t.Fatal(err)
		}
		one.take(picked, dbus.Sequence(i+1))
		if said, isNews := one.facts(Watched).Bool(saidLast); said != test.said || isNews != test.news {
			t.Errorf("after hint %d: said %v, %v", i, said, isNews)
		}
	}
}

// logind does not save the hint. What is false after its start says nothing about the
// screen.
func TestAHintThatANewOwnerHasForgottenIsNoNews(t *testing.T) {
	for name, test := range map[string]struct {
		tells []bool
		said  bool
	}{
		"it is false":             {[]bool{false}, true},
		"it is set anew":          {[]bool{true}, true},
		"it is set, and falls":    {[]bool{true, false}, false},
		"it is set after a while": {[]bool{false, true, false}, false},
	} {
		t.Run(name, func(t *testing.T) {
			source := Session()
			root := newObject(&source.Root, source.Root.Path)
			root.name(&source.Root.Links[0], []dbus.ObjectPath{"/org/freedesktop/login1/session/_31"}, 1)
			one := root.named()[0]
			one.set("LockedHint", false, 2)
			one.set("LockedHint", true, 3)
			root.disown()
			for i, hint := range test.tells {
				one.set("LockedHint", hint, dbus.Sequence(4+i))
			}
			if said, isNews := one.facts(Watched).Bool(saidLast); said != test.said || !isNews {
				t.Errorf("said %v, %v", said, isNews)
			}
		})
	}
}
