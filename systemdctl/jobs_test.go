package systemdctl

import (
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestAJobThatEndsBeforeItsAnswerCounts(t *testing.T) {
	m := newManager(t)
	m.begin(allDown)
	m.r.Want(wantOnline)
	call := m.wants("StartUnit " + online)[0]
	m.removed(online, "/job/3", "failed") // another's
	m.is(online, "active", "/job/4")
	m.removed(online, "/job/4", "done")
	if pending, _ := m.r.Progress(wantOnline); !pending {
		t.Error("reached before the job was known to be ours")
	}
	m.answer(call, nil, dbus.ObjectPath("/job/4"))
	if pending, problem := m.r.Progress(wantOnline); pending || problem != "" {
		t.Errorf("pending %t, problem %q", pending, problem)
	}
	m.wants("")
}

func TestATargetWithAJobIsNotStartedAgain(t *testing.T) {
	m := newManager(t)
	m.begin(map[string]string{online: "queued", offline: "inactive"})
	m.r.Want(wantOnline)
	m.wants("")
	m.is(online, "active", "")
	m.wants("")
	if pending, problem := m.r.Progress(wantOnline); pending || problem != "" {
		t.Errorf("pending %t, problem %q", pending, problem)
	}
}

func TestAFlipBackCancelsTheJob(t *testing.T) {
	m := newManager(t)
	m.begin(allDown)
	m.r.Want(wantOnline)
	start := m.wants("StartUnit " + online)[0]
	m.answer(start, nil, dbus.ObjectPath("/job/1"))
	m.is(online, "inactive", "/job/1")
	m.r.Want(wantOffline)
	m.wants("StopUnit " + online + ", StartUnit " + offline)
	m.removed(online, "/job/1", "canceled")
	m.wants("")
	if strings.Contains(m.log.String(), "WARN") {
		t.Error("a cancelled job of ours counts as a problem")
	}
}

func TestAJobWhoseEndWasMissedIsOver(t *testing.T) {
	m := newManager(t)
	m.begin(allDown)
	m.r.Want(wantOnline)
	m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/1"))
	m.signal(managerPath, managerInterface+".JobRemoved", "nonsense")
	m.list(m.wants("ListUnitsByNames")[0], allDown)
	m.wants("StartUnit " + online)
}

func TestATargetStoppedRightAfterItsStartWasNotSkipped(t *testing.T) {
	m := newManager(t)
	m.begin(allDown)
	m.r.Want(wantOnline)
	call := m.wants("StartUnit " + online)[0]
	m.is(online, "active", "/job/1")
	m.removed(online, "/job/1", "done")
	m.is(online, "inactive", "")
	m.answer(call, nil, dbus.ObjectPath("/job/1")) // taken last
	m.wants("StartUnit " + online)
	if strings.Contains(m.log.String(), "WARN") {
		t.Error("it was not skipped by a condition")
	}
}

func TestStoppingAMissingUnitIsNoRefusal(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOffline)
	calls := m.wants("StopUnit " + online + ", StartUnit " + offline)
	m.is(online, "inactive", "")
	m.answer(calls[0], dbus.Error{Name: ManagerName + ".NoSuchUnit"})
	m.is(offline, "active", "/job/2")
	m.removed(offline, "/job/2", "done")
	m.answer(calls[1], nil, dbus.ObjectPath("/job/2"))
	if pending, problem := m.r.Progress(wantOffline); pending || problem != "" {
		t.Errorf("pending %t, problem %q", pending, problem)
	}
	m.is(online, "active", "")
	m.wants("StopUnit " + online)
}

func TestARefusedStartIsTriedAgain(t *testing.T) {
	for name, again := range map[string]func(*fakeManager){
		"on request":            func(m *fakeManager) { m.r.Reread() },
		"at the next position":  func(m *fakeManager) { m.r.Want(map[string]bool{offline: true}) },
		"after a daemon-reload": func(m *fakeManager) { m.signal(managerPath, managerInterface+".Reloading", false) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.begin(allDown)
			m.r.Want(wantOffline)
			m.answer(m.wants("StartUnit " + offline)[0], nil, dbus.ObjectPath("/job/1"))
			m.removed(offline, "/job/1", "dependency")
			m.is(offline, "inactive", "")
			m.wants("")
			again(m)
			calls, words := m.asked()
			if words == "ListUnitsByNames" {
				m.list(calls[0], allDown)
				_, words = m.asked()
			}
			if words != "StartUnit "+offline {
				t.Errorf("asked for %q", words)
			}
		})
	}
}

func TestACanceledJobCountsAsACorrection(t *testing.T) {
	m := newManager(t)
	m.begin(allDown)
	m.r.Want(wantOnline)
	for range fightCorrections + 1 {
		m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/1"))
		m.removed(online, "/job/1", "canceled")
	}
	m.wants("")
	if !strings.Contains(m.log.String(), "result=canceled") || !strings.Contains(m.log.String(), "something else keeps moving") {
		t.Error("the log does not say so")
	}
}

func TestSomebodyElsesJobForASettledTargetIsWaitedFor(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.is(offline, "inactive", "/job/9") // somebody stops the stopped target
	m.wants("")
	m.is(offline, "inactive", "")
	m.wants("")
	if m.log.Len() > 0 {
		t.Error("nothing was moved")
	}
}

// Signals that the manager sends after its answer may be handled before it.
func TestATargetGivesWayToARivalThatStartedBeforeTheAnswer(t *testing.T) {
	for name, end := range map[string]func(*fakeManager){
		"its start was done": func(m *fakeManager) {
			m.is(online, "active", "")
			m.removed(online, "/job/1", "done")
		},
		"its start was canceled": func(m *fakeManager) { m.removed(online, "/job/1", "canceled") },
	} {
		t.Run(name, func(t *testing.T) {
			m := newManagerOf(t, yielding)
			m.begin(allDown)
			m.r.Want(wantOnline)
			call := m.wants("StartUnit " + online)[0]
			end(m)
			m.is(online, "inactive", "")
			m.is(offline, "active", "")
			m.answer(call, nil, dbus.ObjectPath("/job/1"))
			m.wants("")
			if !m.moved.Yielding {
				t.Error("the rival's start is not told")
			}
		})
	}
}

func TestATargetThatIsMovedBackBeforeTheAnswerIsPutRight(t *testing.T) {
	for name, test := range map[string]struct {
		before       map[string]string
		want         map[string]bool
		verb         string
		moved, after string
	}{
		"its start was done": {allDown, wantOnline, "StartUnit ", "active", "inactive"},
		"its stop was done":  {isOnline, allUnwanted, "StopUnit ", "inactive", "active"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.begin(test.before)
			m.r.Want(test.want)
			call := m.wants(test.verb + online)[0]
			m.is(online, test.moved, "")
			m.removed(online, "/job/1", "done")
			m.is(online, test.after, "")
			m.answer(call, nil, dbus.ObjectPath("/job/1"))
			m.answer(m.wants(test.verb + online)[0], nil, dbus.ObjectPath("/job/2"))
			if !strings.Contains(m.log.String(), "something else has") {
				t.Error("the log does not say that something else has moved it")
			}
		})
	}
}
