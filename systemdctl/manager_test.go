package systemdctl

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestANewManagerIsReadAnew(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOffline)
	calls := m.wants("StopUnit " + online + ", StartUnit " + offline)
	m.owner(":1.2") // daemon-reexec; the calls in flight get no other answer
	fresh := m.wants("Subscribe, ListUnitsByNames")
	for _, call := range calls {
		m.answer(call, dbus.Error{Name: "org.freedesktop.DBus.Error.NoReply"})
	}
	m.wants("")
	m.list(fresh[1], isOnline)
	m.wants("StopUnit " + online + ", StartUnit " + offline)
}

func TestASilentManagerIsReadAnew(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOffline)
	calls := m.wants("StopUnit " + online + ", StartUnit " + offline)
	m.answer(calls[0], context.DeadlineExceeded)
	m.answer(calls[1], errors.New("dbus: connection closed by user"))
	for len(m.calls) == 0 {
		m.takeReply() // a pause is over
	}
	m.wants("ListUnitsByNames")
}

func TestANonsensicalSignalMakesItReadAnew(t *testing.T) {
	for name, nonsense := range map[string]func(*fakeManager){
		"JobRemoved":        func(m *fakeManager) { m.signal(managerPath, managerInterface+".JobRemoved", "nonsense") },
		"PropertiesChanged": func(m *fakeManager) { m.signal(unitPath(online), propertiesInterface+".PropertiesChanged", 1) },
		"ActiveState": func(m *fakeManager) {
			m.signal(unitPath(online), propertiesInterface+".PropertiesChanged", unitInterface,
				map[string]dbus.Variant{"ActiveState": dbus.MakeVariant(uint32(1))}, []string{})
		},
		"Job": func(m *fakeManager) {
			m.signal(unitPath(online), propertiesInterface+".PropertiesChanged", unitInterface,
				map[string]dbus.Variant{"Job": dbus.MakeVariant([]any{"one", "two"})}, []string{})
		},
		"lost signals": func(m *fakeManager) {
			m.owner(":1.1") // named once more
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.begin(isOnline)
			m.r.Want(wantOnline)
			nonsense(m)
			m.list(m.wants("ListUnitsByNames")[0], allDown)
			m.wants("StartUnit " + online)
		})
	}
}

func TestAnExitingManagerIsLeftAlone(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.is(online, "inactive", "")
	call := m.wants("StartUnit " + online)[0]
	m.answer(call, dbus.Error{Name: ManagerName + ".TransactionIsDestructive"})
	m.is(offline, "active", "")
	m.r.Want(wantOffline)
	m.wants("")
	if strings.Contains(m.log.String(), "WARN") {
		t.Error("a logout counts as a problem")
	}
}

func TestAManagerThatDoesNotExitIsAskedAgain(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.is(online, "inactive", "")
	m.answer(m.wants("StartUnit " + online)[0], dbus.Error{Name: ManagerName + ".TransactionIsDestructive"})
	m.r.Reread()
	m.list(m.wants("ListUnitsByNames")[0], allDown)
	m.wants("StartUnit " + online)
}

func TestAMissingManagerIsNotAsked(t *testing.T) {
	const home = "connection@home.target"
	m := newManagerOf(t, targets{patterns: []string{"connection@*.target"}})
	m.owner("")
	m.r.Want(map[string]bool{home: true})
	m.wants("")
	m.owner(":1.1")
	m.list(m.wants("Subscribe, ListUnitsByPatterns []")[1], nil)
	m.list(m.wants("ListUnitsByNames")[0], map[string]string{home: "inactive"})
	m.wants("StartUnit " + home)
}

func TestUnitPath(t *testing.T) {
	for name, want := range map[string]string{
		"internet-online.target":          "internet_2donline_2etarget",
		"connection@Caf\\xc3\\xa9.target": "connection_40Caf_5cxc3_5cxa9_2etarget",
		"9lives.target":                   "_39lives_2etarget",
	} {
		if got := strings.TrimPrefix(string(unitPath(name)), "/org/freedesktop/systemd1/unit/"); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestEachTargetIsMatchedByPathAndName(t *testing.T) {
	got := rules(`connection@Home\x20Wifi.target`)
	for i, want := range []string{
		`path='/org/freedesktop/systemd1/unit/connection_40Home_5cx20Wifi_2etarget'`,
		`arg2='connection@Home\x20Wifi.target'`,
	} {
		if !strings.Contains(got[i], want) || !strings.Contains(got[i], "sender='org.freedesktop.systemd1'") {
			t.Errorf("the rule %s lacks %s", got[i], want)
		}
	}
}
