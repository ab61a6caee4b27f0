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
