package systemdctl

import (
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestOnlyDifferencesBecomeJobs(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.wants("")
	m.r.Want(wantOffline)
	m.wants("StopUnit " + online + ", StartUnit " + offline)
}

func TestNothingIsAskedBeforeTheStatesAreKnown(t *testing.T) {
	m := newManager(t)
	m.r.Want(wantOnline)
	m.wants("")
	m.begin(allDown)
	m.wants("StartUnit " + online)
}

func TestAFightEndsAndResumesWithTheNextFact(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	for i := range fightCorrections + 1 {
		m.is(online, "inactive", "")
		if i == fightCorrections {
			break
		}
		call := m.wants("StartUnit " + online)[0]
		m.answer(call, nil, dbus.ObjectPath("/job/1"))
		m.is(online, "active", "")
		m.removed(online, "/job/1", "done")
	}
	m.wants("")
	if said := strings.Count(m.log.String(), "something else keeps moving"); said != 1 {
		t.Errorf("giving up was logged %d times", said)
	}
	m.r.Want(wantOffline)
	m.wants("StartUnit " + offline)
	m.r.Want(wantOnline)
	m.wants("StopUnit " + offline + ", StartUnit " + online)
}

func TestAYieldingTargetStaysWhereItIsMoved(t *testing.T) {
	m := newManagerOf(t, targets{names: []string{online, offline}, yielding: []string{online, offline}})
	m.begin(map[string]string{online: "active", offline: "inactive"})
	m.r.Want(wantOnline)
	m.wants("")
	if m.moved.Yielding {
		t.Error("nothing was moved yet")
	}
	for target, active := range map[string]string{online: "inactive", offline: "active"} {
		m.is(target, active, "")
		if !m.moved.Yielding {
			t.Errorf("nothing is reported about %s", target)
		}
	}
	m.wants("")
	m.is(offline, "active", "")
	if m.moved.Yielding {
		t.Error("it was reported twice")
	}
	if active := m.r.Active(); !slices.Equal(active, []string{offline}) {
		t.Errorf("%v are active", active)
	}
	m.r.Want(wantOnline)
	m.wants("StopUnit " + offline + ", StartUnit " + online)
}

func TestStartAgainStartsActiveTargets(t *testing.T) {
	m := newManagerOf(t, targets{names: []string{online, offline}, yielding: []string{online, offline}})
	m.r.StartAgain([]string{online})
	m.wants("") // there is no manager yet
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.wants("")
	m.r.StartAgain([]string{online})
	m.r.StartAgain([]string{online}) // this may take long
	calls := m.wants("StartUnit " + online + ", StartUnit " + online)
	m.answer(calls[0], nil, dbus.ObjectPath("/job/1"))
	m.answer(calls[1], nil, dbus.ObjectPath("/job/1"))
	m.removed(online, "/job/1", "done")
	m.wants("")
	m.is(online, "inactive", "") // it may be, because it yields
	m.wants("")
	m.r.StartAgain([]string{online})
	m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/2"))
	m.is(online, "active", "")
	m.removed(online, "/job/2", "done")
	m.wants("")
	m.is(online, "inactive", "")
	m.wants("")
}
