package observers

import (
	"context"
	"fmt"
	"testing"

	"github.com/godbus/dbus/v5"
)

// many brings a NetworkManager to where it has named so many active connections,
// and returns the questions about the first of them.
func (w *watch) many(count int) []*dbus.Call {
	w.Helper()
	w.owner(":1.1")
	return w.naming(w.called("GetAll"), count)
}

func (w *watch) naming(call *dbus.Call, count int) []*dbus.Call {
	w.Helper()
	properties := map[string]dbus.Variant{"Startup": dbus.MakeVariant(false)}
	var paths []dbus.ObjectPath
	for i := range count {
		paths = append(paths, dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/NetworkManager/ActiveConnection/%d", i)))
	}
	properties["ActiveConnections"] = dbus.MakeVariant(paths)
	answer(call, 1, nil, properties)
	var calls []*dbus.Call
	for range min(count, atATime) {
		calls = append(calls, w.called("GetAll"))
	}
	return calls
}

func named(call *dbus.Call, number int) {
	answer(call, dbus.Sequence(2+number), nil, map[string]dbus.Variant{"Id": dbus.MakeVariant(fmt.Sprintf("profile %d", number))})
}

func TestANewerListOfChildrenWins(t *testing.T) {
	w := observe(t, Connections())
	for number, call := range w.many(1) {
		named(call, number)
	}
	w.hears()
	w.observer.Reread()
	all := w.called("GetAll")
	list := func(count int) map[string]dbus.Variant {
		var paths []dbus.ObjectPath
		for i := range count {
			paths = append(paths, dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/NetworkManager/ActiveConnection/%d", i)))
		}
		return map[string]dbus.Variant{"ActiveConnections": dbus.MakeVariant(paths), "Startup": dbus.MakeVariant(false)}
	}
	w.changed(9, list(2))
	answer(all, 8, nil, list(1))
	for number := range 2 {
		named(w.called("GetAll"), 9+number)
	}
	if facts := w.hears(); len(facts.Children()) != 2 {
		t.Errorf("heard of %d children", len(facts.Children()))
	}
}

func TestManyChildrenAreReadSomeAtATime(t *testing.T) {
	const most = 128 // unanswered calls that a system bus lets one have
	if atATime > most/2 {
		t.Errorf("%d at a time leave the bus no room for other calls", atATime)
	}
	w := observe(t, Connections())
	for number, call := range w.many(atATime + 3) {
		if len(w.service.calls) > 0 {
			t.Fatal("asked for more before all had answered")
		}
		named(call, number)
	}
	for i := range 3 {
		named(w.called("GetAll"), atATime+i)
	}
	ids := map[string]bool{}
	for _, one := range w.hears().Children() {
		id, _ := one.Text("Id")
		ids[id] = true
	}
	if len(ids) != atATime+3 {
		t.Errorf("heard of %d children: %v", len(ids), ids)
	}
}

// The pause before the next try doubles with each failure; children that fail
// together are one.
func TestChildrenThatFailTogetherAreReadAnewOnce(t *testing.T) {
	w := observe(t, Connections())
	calls := w.many(20)
	named(calls[0], 0)
	for _, call := range calls[1:] {
		answer(call, 0, context.DeadlineExceeded)
	}
	again := w.called("GetAll")
	if got := w.observer.backoff; got != 2*firstRetry {
		t.Errorf("the next pause would be %v", got)
	}
	for number, call := range w.naming(again, 20) {
		named(call, number)
	}
	if facts := w.hears(); len(facts.Children()) != 20 {
		t.Errorf("heard %+v", facts)
	}
}

func TestAChildThatIsGoneIsNotWaitedFor(t *testing.T) {
	w := observe(t, Connections())
	calls := w.many(3)
	named(calls[0], 0)
	answer(calls[1], 0, dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownMethod"})
	named(calls[2], 2)
	if facts := w.hears(); len(facts.Children()) != 2 {
		t.Errorf("heard %+v", facts)
	}
}
