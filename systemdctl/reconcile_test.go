package systemdctl

import (
	"slices"
	"strings"
	"testing"
	"time"

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
	m.is(online, "inactive", "")
	m.fight()
	if said := strings.Count(m.log.String(), "something else keeps moving"); said != 1 {
		t.Errorf("giving up was logged %d times", said)
	}
	m.r.Want(wantOffline)
	m.wants("StartUnit " + offline)
	m.r.Want(wantOnline)
	m.wants("StopUnit " + offline + ", StartUnit " + online)
}

// fight has something else stop the target that is wanted, and that has been stopped
// already, until it is left alone.
func (m *fakeManager) fight() {
	m.t.Helper()
	for range fightCorrections {
		call := m.wants("StartUnit " + online)[0]
		m.answer(call, nil, dbus.ObjectPath("/job/1"))
		m.is(online, "active", "")
		m.removed(online, "/job/1", "done")
		m.is(online, "inactive", "")
	}
	m.wants("")
	m.r.unit(online).stopReviving() // which is another story
}

func TestAFightIsResumedAfterPausesThatGrow(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.is(online, "inactive", "")
	m.fight()
	for _, pause := range []time.Duration{firstPause, 2 * firstPause, 4 * firstPause, 8 * firstPause, longestPause, longestPause} {
		m.laptop.runs(pause - time.Millisecond)
		m.wants("")
		m.laptop.runs(time.Millisecond)
		m.takeReply()
		m.fight()
	}
	m.laptop.runs(longestPause)
	m.takeReply()
	m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/1"))
	m.is(online, "active", "")
	m.removed(online, "/job/1", "done")
	if pending, problem := m.r.Progress(wantOnline); pending || problem != "" {
		t.Errorf("pending %t, problem %q", pending, problem)
	}
	m.r.now = func() time.Time { return time.Now().Add(time.Hour) } // of peace
	m.is(online, "inactive", "")
	m.fight()
	m.laptop.runs(firstPause)
	m.takeReply()
	m.wants("StartUnit " + online)
}

func TestAPauseOfAFightEndsWithTheNextFact(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.is(online, "inactive", "")
	m.fight()
	m.r.Want(wantOffline)
	m.wants("StartUnit " + offline)
	m.laptop.runs(longestPause)
	m.wants("")
}

// yielding are targets that give way to each other.
var yielding = targets{names: []string{online, offline}, yielding: []map[string][]string{{online: nil, offline: nil}}}

func TestAYieldingTargetStaysWhereItIsStarted(t *testing.T) {
	m := newManagerOf(t, yielding)
	m.begin(map[string]string{online: "active", offline: "inactive"})
	m.r.Want(wantOnline)
	m.wants("")
	m.is(offline, "inactive", "/job/2")
	m.is(online, "inactive", "")
	m.wants("")
	if m.moved.Yielding {
		t.Error("nothing was started yet")
	}
	m.is(offline, "active", "")
	if !m.moved.Yielding {
		t.Error("nothing is reported")
	}
	if len(m.wanting) != 2 {
		t.Errorf("asked %d times what a target wants, to learn how that ends", len(m.wanting))
	}
	m.removed(offline, "/job/2", "done")
	m.is(offline, "active", "")
	if m.moved.Yielding {
		t.Error("it was reported twice")
	}
	m.wants("")
	if active := m.r.Active(); !slices.Equal(active, []string{offline}) {
		t.Errorf("%v are active", active)
	}
	m.r.Want(wantOnline)
	m.wants("StopUnit " + offline + ", StartUnit " + online)
}

// Signals tell of one target after the other, so the manager is asked about both.
func TestAYieldingTargetThatIsJustStoppedIsStartedAgain(t *testing.T) {
	const putRight = "something else has stopped " + online + "; putting it right"
	isNothing, isOffline, isComing := allDown, map[string]string{online: "inactive", offline: "active"}, map[string]string{online: "inactive", offline: "queued"}
	for name, test := range map[string]struct {
		states map[string]string
		then   string
	}{
		"no other is started":   {isNothing, "StartUnit " + online},
		"the other is active":   {isOffline, ""},
		"the other is starting": {isComing, ""},
		"it is active again":    {isOnline, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManagerOf(t, yielding)
			m.begin(isOnline)
			m.r.Want(wantOnline)
			m.is(online, "inactive", "")
			list := m.wants("ListUnitsByNames")[0]
			m.is(online, "inactive", "") // once is enough
			m.wants("")
			m.list(list, test.states)
			calls := m.wants(test.then)
			if len(calls) > 0 {
				m.answer(calls[0], nil, dbus.ObjectPath("/job/1"))
			}
			if got := strings.Count(m.log.String(), putRight); got != len(calls) {
				t.Errorf("it was logged %d times", got)
			}
		})
	}
}

func TestAYieldingTargetIsStartedAgainOnceTheStartOfTheOtherHasFailed(t *testing.T) {
	m := newManagerOf(t, yielding)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.is(offline, "inactive", "/job/2")
	m.is(online, "inactive", "")
	m.wants("")
	m.is(offline, "inactive", "")
	m.removed(offline, "/job/2", "dependency")
	m.list(m.wants("ListUnitsByNames")[0], allDown)
	m.wants("StartUnit " + online)
}

func TestAnExitingManagerIsNotSaidToBePutRight(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.is(online, "inactive", "")
	m.answer(m.wants("StartUnit " + online)[0], dbus.Error{Name: ManagerName + ".TransactionIsDestructive"})
	if log := m.log.String(); strings.Contains(log, "something else") || !strings.Contains(log, "shutting down") {
		t.Error(log)
	}
}

func TestStartAgainStartsActiveTargets(t *testing.T) {
	m := newManagerOf(t, yielding)
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
	m.is(online, "inactive", "") // it may be, because a rival may be on its way
	list := m.wants("ListUnitsByNames")[0]
	m.r.StartAgain([]string{online})
	m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/7"))
	m.list(list, map[string]string{online: "queued", offline: "inactive"})
	m.is(online, "active", "")
	m.removed(online, "/job/7", "done")
	m.wants("")
}
