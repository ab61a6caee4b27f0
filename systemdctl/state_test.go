package systemdctl

import (
	"reflect"
	"slices"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestASignalNewerThanTheListWins(t *testing.T) {
	m := newManager(t)
	m.owner(":1.1")
	calls := m.wants("Subscribe, ListUnitsByNames")
	// The answer was sent first but is handled second.
	m.sequence += 10
	m.is(online, "active", "")
	m.sequence -= 10
	m.list(calls[1], allDown)
	m.r.Want(wantOnline)
	m.wants("")
}

func TestInstancesBecomeManaged(t *testing.T) {
	const home, work, lab = "connection@home.target", "connection@work.target", "connection@lab.target"
	m := newManagerOf(t, targets{patterns: []string{"connection@*.target"}})
	m.owner(":1.1")
	calls := m.wants("Subscribe, ListUnitsByPatterns []")
	m.answer(calls[0], nil)
	m.list(calls[1], map[string]string{home: "active"})
	m.list(m.wants("ListUnitsByNames")[0], map[string]string{home: "active"})
	m.r.Want(map[string]bool{home: true})
	m.wants("")
	m.r.Want(map[string]bool{home: false, work: true, lab: true})
	// Nothing is started before it is known whether it runs.
	calls = m.wants("ListUnitsByPatterns [], StopUnit " + home)
	m.list(calls[0], map[string]string{home: "active"})
	m.list(m.wants("ListUnitsByNames")[0], map[string]string{home: "active", work: "inactive", lab: "inactive"})
	m.wants("StartUnit " + lab + ", StartUnit " + work)
}

// A target is a stray once it is active and nobody has said whether it is wanted. After
// that it is corrected like all others.
func TestAnInstanceThatSomethingElseStartedIsAStray(t *testing.T) {
	const home, moon = "connection@home.target", "connection@moon.target"
	m := newManagerOf(t, targets{patterns: []string{"connection@*.target"}})
	m.owner(":1.1")
	m.list(m.wants("Subscribe, ListUnitsByPatterns []")[1], map[string]string{home: "inactive"})
	m.list(m.wants("ListUnitsByNames")[0], map[string]string{home: "inactive"})
	strays := func(want ...string) {
		t.Helper()
		if got := m.moved.Strays; !slices.Equal(got, want) {
			t.Errorf("%v are strays, not %v", got, want)
		}
	}
	strays()
	m.is(home, "active", "")
	strays(home)
	m.r.Want(map[string]bool{home: true})
	m.is(home, "active", "")
	strays()
	for _, name := range []string{"moon.service", home, "disconnection@moon.target", "connection@moon.service"} {
		m.signal(managerPath, managerInterface+".UnitNew", name, unitPath(name))
		m.wants("")
	}
	m.signal(managerPath, managerInterface+".UnitNew", moon, unitPath(moon))
	m.list(m.wants("ListUnitsByPatterns []")[0], map[string]string{home: "active", moon: "active"})
	m.list(m.wants("ListUnitsByNames")[0], map[string]string{home: "active", moon: "active"})
	strays(moon)
	m.r.Want(map[string]bool{moon: false})
	m.answer(m.wants("StopUnit " + moon)[0], nil, dbus.ObjectPath("/job/1"))
	m.is(moon, "inactive", "")
	m.removed(moon, "/job/1", "done")
	m.is(moon, "active", "")
	strays()
	// A target that is neither loaded nor wanted is forgotten: asking for it would load it.
	listening := m.listening
	m.answer(m.wants("StopUnit " + moon)[0], nil, dbus.ObjectPath("/job/2"))
	m.is(moon, "inactive", "")
	m.removed(moon, "/job/2", "done")
	m.signal(managerPath, managerInterface+".UnitNew", uint32(1))
	m.list(m.wants("ListUnitsByPatterns []")[0], nil)
	if call := m.wants("ListUnitsByNames")[0]; !reflect.DeepEqual(call.Args, []any{[]string{home}}) || m.listening != listening-2 {
		t.Errorf("asked for %v, listening by %d rules of %d", call.Args, m.listening, listening)
	}
}
