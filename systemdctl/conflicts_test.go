package systemdctl

import (
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// conflicts brings the reconciler into a state in which offline is active and
// it knows which units the start of online stops.
func (m *fakeManager) conflicts(answer ...any) {
	m.t.Helper()
	m.begin(map[string]string{online: "inactive", offline: "active"})
	m.r.Want(wantOnline)
	m.wants("StopUnit " + offline + ", StartUnit " + online)
	m.answer(m.questions[0], nil, answer...)
	m.move(online, offline)
	m.r.Want(wantOffline)
	m.wants("StopUnit " + online + ", StartUnit " + offline)
	m.move(offline, online)
}

var conflicting = dbus.MakeVariant([]string{offline, "shutdown.target"})

func TestAStartStopsWhatItConflictsWith(t *testing.T) {
	m := newManager(t)
	m.conflicts(conflicting)
	m.r.Want(wantOnline)
	m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/"+online))
	m.move(online, offline)
	if pending, problem := m.r.Progress(wantOnline); pending || problem != "" {
		t.Errorf("pending %t, problem %q", pending, problem)
	}
}

func TestAConflictingTargetIsStoppedIfTheStartFails(t *testing.T) {
	for name, end := range map[string]func(*fakeManager, *dbus.Call){
		"where the start is refused": func(m *fakeManager, call *dbus.Call) {
			m.answer(call, dbus.Error{Name: ManagerName + ".UnitMasked"})
		},
		"where the start fails": func(m *fakeManager, call *dbus.Call) {
			m.answer(call, nil, dbus.ObjectPath("/job/9"))
			m.removed(online, "/job/9", "failed")
		},
		"where it does not conflict after all": func(m *fakeManager, call *dbus.Call) {
			m.answer(call, nil, dbus.ObjectPath("/job/9"))
			m.is(online, "active", "")
			m.removed(online, "/job/9", "done")
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.conflicts(conflicting)
			m.r.Want(wantOnline)
			end(m, m.wants("StartUnit " + online)[0])
			m.wants("StopUnit " + offline)
		})
	}
}

func TestAReloadMayChangeWhatConflicts(t *testing.T) {
	m := newManager(t)
	m.conflicts(conflicting)
	m.signal(managerPath, managerInterface+".Reloading", false)
	list := m.wants("ListUnitsByNames")[0]
	m.is(online, "inactive", "") // sent after the list, received before it
	m.r.unit(online).sequence += 2
	m.list(list, map[string]string{online: "inactive", offline: "active"})
	m.r.Want(wantOnline)
	m.wants("StopUnit " + offline + ", StartUnit " + online)
}

func TestAnAnswerWithoutConflictsChangesNothing(t *testing.T) {
	for _, answer := range [][]any{nil, {""}, {dbus.MakeVariant(1)}, {[]string{offline}}, {conflicting, conflicting}} {
		m := newManager(t)
		m.conflicts(answer...)
		m.r.Want(wantOnline)
		m.wants("StopUnit " + offline + ", StartUnit " + online)
	}
}

func TestAFlipBackCancelsAConflictingStart(t *testing.T) {
	m := newManager(t)
	m.conflicts(conflicting)
	m.r.Want(wantOnline)
	m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/"+online))
	m.move(online, offline)
	m.r.Want(wantOffline)
	calls := m.wants("StopUnit " + online + ", StartUnit " + offline)
	m.answer(calls[0], nil, dbus.ObjectPath("/job/7"))
	m.answer(calls[1], nil, dbus.ObjectPath("/job/8"))
	m.is(online, "inactive", "")
	m.removed(online, "/job/7", "done")
	m.r.Want(wantOnline) // while offline is on its way
	m.wants("StartUnit " + online)
	m.removed(offline, "/job/8", "canceled")
	m.wants("")
	if strings.Contains(m.log.String(), "something else") {
		t.Error("nothing else has canceled the job")
	}
}

func TestATargetThatAStartStopsIsLoggedAndCounted(t *testing.T) {
	m := newManager(t)
	m.conflicts(conflicting)
	m.r.Want(wantOnline)
	m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/"+online))
	m.move(online, offline)
	for range fightCorrections {
		m.is(online, "inactive", "")
		call := m.wants("StartUnit " + online)[0]
		m.is(offline, "active", "")
		m.wants("") // the start stops it
		m.answer(call, nil, dbus.ObjectPath("/job/"+online))
		m.move(online, offline)
	}
	m.is(online, "inactive", "")
	m.is(offline, "active", "")
	m.wants("") // the bridge fights for neither any longer
	if got := strings.Count(m.log.String(), "something else has started "+offline); got != fightCorrections {
		t.Errorf("the log names what was started %d times", got)
	}
}

func TestGivingUpOnATargetLetsOthersBeStopped(t *testing.T) {
	m := newManager(t)
	m.conflicts(conflicting)
	m.r.Want(wantOnline)
	m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/"+online))
	m.move(online, offline)
	for range fightCorrections {
		m.is(online, "inactive", "")
		m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/"+online))
		m.move(online, offline)
	}
	// Both have moved at once.
	m.r.unit(online).active, m.r.unit(offline).active = "inactive", "active"
	m.r.reconcile()
	m.wants("StopUnit " + offline)
}

func TestAThirdFlipIsNotTakenForInterference(t *testing.T) {
	m := newManager(t)
	m.conflicts(conflicting)
	m.r.Want(wantOnline)
	m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/"+online))
	m.move(online, offline)
	m.r.Want(wantOffline)
	calls := m.wants("StopUnit " + online + ", StartUnit " + offline)
	m.answer(m.questions[len(m.questions)-1], nil, dbus.MakeVariant([]string{online}))
	m.answer(calls[0], nil, dbus.ObjectPath("/job/7"))
	m.answer(calls[1], nil, dbus.ObjectPath("/job/8"))
	m.is(offline, "inactive", "/job/8")
	m.is(online, "inactive", "")
	m.removed(online, "/job/7", "done")
	m.r.Want(wantOnline)
	m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/9"))
	m.r.Want(wantOffline)           // before the manager has said what the start canceled
	m.wants("StartUnit " + offline) // which stops the other
	m.is(offline, "inactive", "")
	m.removed(offline, "/job/8", "canceled")
	m.wants("")
	if strings.Contains(m.log.String(), "something else") {
		t.Error("nothing else has moved a target")
	}
}

// The manager tells only later that it has queued the stop, which stays there
// where the start is canceled.
func TestATargetThatOurStartIsStoppingIsStartedAgain(t *testing.T) {
	for name, yields := range map[string]bool{"it is put right": false, "it yields": true} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			if yields {
				m = newManagerOf(t, yielding)
			}
			m.conflicts(conflicting)
			m.r.Want(wantOnline)
			m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/7"))
			m.r.Want(wantOffline)
			calls := m.wants("StopUnit " + online + ", StartUnit " + offline)
			m.is(offline, "active", "/job/6") // the stop that came with the start
			m.answer(calls[0], nil, dbus.ObjectPath("/job/8"))
			m.answer(calls[1], nil, dbus.ObjectPath("/job/9"))
			m.removed(offline, "/job/6", "canceled")
			m.removed(online, "/job/7", "canceled")
			m.removed(online, "/job/8", "done")
			m.is(offline, "active", "/job/9")
			m.is(offline, "active", "")
			m.removed(offline, "/job/9", "done")
			m.wants("")
			if pending, problem := m.r.Progress(wantOffline); pending || problem != "" || m.moved.Yielding {
				t.Errorf("pending %t, problem %q, moved %+v", pending, problem, m.moved)
			}
		})
	}
}

// A start of ours may have ended before another one of ours can cancel it, but the
// manager tells of that later. The other target must not give way to it.
func TestAnOvertakenStartIsNotSomebodyElses(t *testing.T) {
	for name, isAnswered := range map[string]bool{"answered before": true, "answered after": false} {
		t.Run(name, func(t *testing.T) {
			m := newManagerOf(t, yielding)
			m.conflicts(conflicting)
			m.r.Want(wantOnline)
			m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/"+online))
			m.move(online, offline)
			m.r.Want(wantOffline)
			calls := m.wants("StopUnit " + online + ", StartUnit " + offline)
			m.answer(calls[0], nil, dbus.ObjectPath("/job/7"))
			m.is(online, "inactive", "")
			m.removed(online, "/job/7", "done")
			if isAnswered {
				m.answer(calls[1], nil, dbus.ObjectPath("/job/8"))
			}
			m.r.Want(wantOnline)
			again := m.wants("StartUnit " + online)
			m.is(offline, "active", "")
			m.wants("")
			m.removed(offline, "/job/8", "done")
			if !isAnswered {
				m.answer(calls[1], nil, dbus.ObjectPath("/job/8"))
			}
			m.answer(again[0], nil, dbus.ObjectPath("/job/"+online))
			m.move(online, offline)
			m.wants("")
			if active := m.r.Active(); !slices.Equal(active, []string{online}) || m.moved.Yielding || strings.Contains(m.log.String(), "something else") {
				t.Errorf("%v are active, moved %+v, logged %s", active, m.moved, m.log.String())
			}
		})
	}
}
