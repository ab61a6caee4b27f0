package systemdctl

import (
	"errors"
	"slices"
	"testing"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// jobs answers ListJobs.
func (m *fakeManager) jobs(units map[uint32]string) {
	m.t.Helper()
	listed := []systemd.JobStatus{}
	for id, unit := range units {
		listed = append(listed, systemd.JobStatus{Id: id, Unit: unit})
	}
	m.answer(m.wants("ListJobs")[0], nil, listed)
}

func TestAWaitEndsWithTheLastOfOurJobs(t *testing.T) {
	m := newManager(t)
	m.begin(allDown)
	m.r.Want(wantOnline)
	start := m.wants("StartUnit " + online)[0]
	finished := false
	m.r.AwaitJobs(nil, func() { finished = true })
	m.wants("") // it is not known yet which job is ours
	m.answer(start, nil, dbus.ObjectPath("/org/freedesktop/systemd1/job/20"))
	m.jobs(map[uint32]string{7: "backup.service", 20: online, 23: "late.service"})
	if unfinished := m.r.Unfinished(); finished || len(unfinished) != 2 || slices.Contains(unfinished, "backup.service") {
		t.Fatalf("unfinished: %v", unfinished)
	}
	for i := range m.r.recentJobs {
		m.r.recentJobs[i].at = m.r.recentJobs[i].at.Add(-time.Hour) // however long it takes
	}
	m.is(online, "active", "")
	m.removed(online, "/org/freedesktop/systemd1/job/20", "done")
	m.jobs(map[uint32]string{7: "backup.service", 23: "late.service"})
	m.removed("late.service", "/org/freedesktop/systemd1/job/23", "done")
	if finished || m.listening != 1 {
		t.Fatalf("finished %t, listening %d", finished, m.listening)
	}
	m.jobs(map[uint32]string{7: "backup.service"})
	if !finished || m.listening != 0 || m.r.Unfinished() != nil {
		t.Errorf("finished %t, listening %d", finished, m.listening)
	}
}

func TestAWaitWithoutJobsEndsAtOnce(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	finished := false
	m.r.AwaitJobs(nil, func() { finished = true })
	m.jobs(map[uint32]string{7: "backup.service"})
	if !finished {
		t.Error("a job of another's was waited for")
	}
}

func TestAWaitEndsIfTheManagerListsNoJobs(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	finished := false
	m.r.AwaitJobs(nil, func() { finished = true })
	m.answer(m.wants("ListJobs")[0], errors.New("no reply"))
	if !finished || m.listening != 0 {
		t.Errorf("finished %t, listening %d", finished, m.listening)
	}
}

func TestAStoppedWaitDoesNotCallBack(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.AwaitJobs(nil, func() { t.Error("it was stopped") })
	m.r.StopWaiting()
	m.jobs(nil)
	if m.listening != 0 {
		t.Errorf("listening %d", m.listening)
	}
}

// The unit has been starting since the lid was closed, long before the machine
// goes to sleep.
func TestAWaitIncludesOldJobsOfWhatHangsOnTheTargets(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	finished := false
	m.r.AwaitJobs([]string{online}, func() { finished = true })
	hangs := func(on string, property string, units ...string) {
		t.Helper()
		call := m.wants("org.freedesktop.DBus.Properties.GetAll " + unitInterface)[0]
		if call.Path != unitPath(on) {
			t.Fatalf("asked about %s", call.Path)
		}
		m.answer(call, nil, map[string]dbus.Variant{property: dbus.MakeVariant(units)})
	}
	hangs(online, "Wants", "slow.service", "mine.target")
	hangs("mine.target", "ConsistsOf", "late.service", online)
	m.jobs(map[uint32]string{7: "backup.service", 8: "slow.service", 9: "late.service"})
	if unfinished := m.r.Unfinished(); finished || !slices.Equal(slices.Sorted(slices.Values(unfinished)), []string{"late.service", "slow.service"}) {
		t.Fatalf("unfinished: %v", unfinished)
	}
	m.removed("slow.service", "/org/freedesktop/systemd1/job/8", "done")
	m.jobs(map[uint32]string{7: "backup.service", 9: "late.service"})
	m.removed("late.service", "/org/freedesktop/systemd1/job/9", "done")
	m.jobs(map[uint32]string{7: "backup.service"})
	if !finished {
		t.Error("the job of a unit that does not hang on the target is waited for")
	}
}
