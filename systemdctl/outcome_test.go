package systemdctl

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

// locked brings the reconciler to the point where a target that yields is active
// and wants a locker, which runs.
func (m *fakeManager) locked() {
	m.t.Helper()
	m.r.yieldToEachOther(map[string][]string{online: nil, offline: nil})
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.answer(m.wanting[len(m.wanting)-1], nil, map[string]dbus.Variant{"Wants": dbus.MakeVariant([]string{"mine.target"})})
	m.answer(m.wants(propertiesInterface + ".GetAll " + unitInterface)[0], nil, map[string]dbus.Variant{"Requires": dbus.MakeVariant([]string{"locker.service", "mine.target"})})
	m.service("active", "success")
}

// service answers what kind of service the locker is and how it is.
func (m *fakeManager) service(active, result string) {
	m.t.Helper()
	m.answer(m.wants(propertiesInterface + ".GetAll ")[0], nil, map[string]dbus.Variant{
		"ActiveState": dbus.MakeVariant(active), "Type": dbus.MakeVariant("simple"), "Result": dbus.MakeVariant(result),
	})
}

func TestALockerThatEndsWellHasDoneItsWork(t *testing.T) {
	for name, test := range map[string]struct {
		active, result string
		job            dbus.ObjectPath
		want           bool
	}{
		"well":           {"inactive", "success", "", true},
		"by a stop":      {"inactive", "success", "/job/9", false},
		"by a crash":     {"failed", "signal", "", false},
		"badly, skipped": {"inactive", "exec-condition", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.locked()
			if test.job != "" {
				m.is("locker.service", "active", test.job)
			}
			m.is("locker.service", "deactivating", test.job)
			m.is("locker.service", test.active, "")
			if len(m.calls) > 0 {
				m.service(test.active, test.result)
			}
			if got := len(m.moved.Done) == 1; got != test.want {
				t.Errorf("done: %v", m.moved.Done)
			}
		})
	}
}

// wantingTwo returns a manager whose target wants a note and a locker, and the questions
// about the two.
func wantingTwo(t *testing.T) (m *fakeManager, asked []*dbus.Call) {
	t.Helper()
	m = newManager(t)
	m.r.yieldToEachOther(map[string][]string{online: nil, offline: nil})
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.answer(m.wanting[len(m.wanting)-1], nil, map[string]dbus.Variant{"Wants": dbus.MakeVariant([]string{"note.service", "locker.service"})})
	return m, m.calls
}

// A note that somebody is told ends at once. The locker starts after another unit, and no
// signal tells that it waits.
func TestAServiceThatEndsBeforeAnotherHasStartedHasNotDoneAllWork(t *testing.T) {
	for locker, want := range map[string]bool{"queued": false, "inactive": true, "unknown": false} {
		t.Run(locker, func(t *testing.T) {
			m, asked := wantingTwo(t)
			for i, active := range []string{"active", "inactive"} {
				m.calls = asked[i : i+1]
				m.service(active, "success")
			}
			m.is("note.service", "inactive", "")
			m.service("inactive", "success")
			list := m.wants("ListUnitsByNames")[0]
			if locker == "unknown" {
				m.answer(list, errors.New("the manager is reloading"))
			} else {
				m.list(list, map[string]string{"locker.service": locker})
			}
			if got := len(m.moved.Done) == 1; got != want {
				t.Errorf("done: %v", m.moved.Done)
			}
			m.is("locker.service", "active", "")
			m.ends("success", "inactive")
			m.service("inactive", "success")
			m.list(m.wants("ListUnitsByNames")[0], map[string]string{"note.service": "inactive"})
			if len(m.moved.Done) != 1 {
				t.Errorf("then done: %v", m.moved.Done)
			}
		})
	}
}

// The end of something else does not make up for the locker's crash. A helper may fail.
func TestAServiceThatEndsAfterAnotherHasDiedHasNotDoneAllWork(t *testing.T) {
	for result, want := range map[string]bool{"signal": false, "core-dump": false, "oom-kill": false, "watchdog": false, "exit-code": true} {
		t.Run(result, func(t *testing.T) {
			m, asked := wantingTwo(t)
			for _, call := range asked {
				m.calls = []*dbus.Call{call}
				m.service("active", "success")
			}
			m.ends(result, "failed")
			if len(m.calls) > 0 {
				m.service("failed", result)
			}
			m.is("note.service", "inactive", "")
			m.service("inactive", "success")
			m.list(m.wants("ListUnitsByNames")[0], map[string]string{"locker.service": "failed"})
			if got := len(m.moved.Done) == 1; got != want {
				t.Errorf("done: %v", m.moved.Done)
			}
			if told := strings.Contains(m.log.String(), "locker.service was killed ("+result+")"); told == want {
				t.Errorf("told: %v", told)
			}
			m.is("locker.service", "activating", "")
			m.is("locker.service", "active", "")
			m.ends("success", "inactive")
			m.service("inactive", "success")
			m.list(m.wants("ListUnitsByNames")[0], map[string]string{"note.service": "inactive"})
			if len(m.moved.Done) != 1 {
				t.Errorf("then done: %v", m.moved.Done)
			}
		})
	}
}

// A reload may change what a target wants while its own targets are still being asked.
func TestALockerIsFollowedAlthoughAnOlderQuestionIsAnsweredLast(t *testing.T) {
	m := newManager(t)
	m.r.yieldToEachOther(map[string][]string{online: nil, offline: nil})
	m.begin(isOnline)
	m.r.Want(wantOnline)
	older := m.wanting[len(m.wanting)-1]
	m.wanting = nil
	wants := func(units ...string) map[string]dbus.Variant {
		return map[string]dbus.Variant{"Wants": dbus.MakeVariant(units)}
	}
	m.answer(older, nil, wants("mine.target"))
	mine := m.wants(propertiesInterface + ".GetAll " + unitInterface)[0]
	m.r.followServices(m.r.unit(online))
	m.answer(m.wanting[0], nil, wants("locker.service"))
	m.service("active", "success")
	m.answer(mine, nil, wants())
	m.is("locker.service", "deactivating", "")
	m.is("locker.service", "inactive", "")
	m.service("inactive", "success")
	if len(m.moved.Done) != 1 {
		t.Errorf("done: %v", m.moved.Done)
	}
}

// A locker whose end stops the target is judged before the target is put right.
func TestAServiceWhoseEndStopsTheTargetMayHaveDoneItsWork(t *testing.T) {
	for name, test := range map[string]struct{ active, result, then string }{
		"well":    {"inactive", "success", "StartUnit " + offline},
		"crashed": {"failed", "signal", "StartUnit " + online},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.locked()
			m.is("locker.service", "deactivating", "")
			m.is(online, "inactive", "")
			m.is("locker.service", "deactivating", "/job/9") // by PartOf=
			m.wants("")
			m.is("locker.service", test.active, "")
			m.service(test.active, test.result)
			list := m.wants("ListUnitsByNames")[0]
			if len(m.moved.Done) == 1 {
				m.r.Want(wantOffline)
			}
			m.list(list, allDown)
			m.wants(test.then)
		})
	}
}

// A Lock that comes while the locker ends starts the locker anew.
func TestAServiceThatIsStartedAgainHasNotDoneItsWork(t *testing.T) {
	for name, isTaken := range map[string]bool{"the manager has not taken the start": false, "it has": true} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.locked()
			m.r.StartAgain([]string{online})
			start := m.wants("StartUnit " + online)[0]
			m.is("locker.service", "inactive", "") // sent before
			ask := m.wants(propertiesInterface + ".GetAll ")[0]
			if isTaken {
				m.answer(start, nil, dbus.ObjectPath("/job/2"))
			}
			m.calls = append(m.calls, ask)
			m.service("inactive", "success")
			if len(m.moved.Done) > 0 {
				t.Errorf("done: %v", m.moved.Done)
			}
		})
	}
}

// A signal that was lost may have said that the service is being stopped.
func TestAServiceOfWhichSignalsWereLostHasNotDoneItsWork(t *testing.T) {
	for _, owner := range []string{":1.1", ":1.2"} {
		m := newManager(t)
		m.locked()
		m.owner(owner)
		m.answer(m.calls[len(m.calls)-1], nil, map[string]dbus.Variant{
			"ActiveState": dbus.MakeVariant("deactivating"), "Type": dbus.MakeVariant("simple"),
		})
		m.calls = nil
		m.is("locker.service", "inactive", "")
		m.wants("")
	}
}

// unused brings the reconciler to the point where it looks whether anything that a
// target wants has run, and answers how the target is.
func (m *fakeManager) unused(active string, job uint32) {
	m.t.Helper()
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.wanting = nil
	m.r.FindUnused([]string{online, "of-another-switch.target"})
	m.tellsOfTarget(active, job)
}

func (m *fakeManager) tellsOfTarget(active string, job uint32) {
	m.t.Helper()
	ask := m.wanting[len(m.wanting)-1]
	m.wanting = nil
	m.answer(ask, nil, map[string]dbus.Variant{
		"ActiveState": dbus.MakeVariant(active), "Job": dbus.MakeVariant([]any{job, dbus.ObjectPath("/")}),
		"Wants": dbus.MakeVariant([]string{"locker.service"}), "Requires": dbus.MakeVariant([]string{"dim.service"}),
		"Upholds": dbus.MakeVariant([]string{"cover.service"}),
	})
}

// tellsOfRun answers when a unit that the target wants was started first, and whether
// it has a job.
func (m *fakeManager) tellsOfRun(at uint64, job uint32) {
	m.t.Helper()
	m.answer(m.wants(propertiesInterface + ".GetAll " + unitInterface)[0], nil, map[string]dbus.Variant{
		"InactiveExitTimestampMonotonic": dbus.MakeVariant(at), "Job": dbus.MakeVariant([]any{job, dbus.ObjectPath("/")}),
	})
}

func TestATargetIsUnusedIfNothingThatItWantsHasRun(t *testing.T) {
	for name, test := range map[string]struct {
		then func(*fakeManager)
		want bool
	}{
		"nothing has run": {func(m *fakeManager) {
			m.tellsOfRun(0, 0)
			m.tellsOfRun(0, 0)
			m.tellsOfRun(0, 0)
		}, true},
		"the first has": {func(m *fakeManager) {
			m.tellsOfRun(7, 0)
		}, false},
		"the second is about to": {func(m *fakeManager) {
			m.tellsOfRun(0, 0)
			m.tellsOfRun(0, 1)
		}, false},
		"what it upholds has": {func(m *fakeManager) {
			m.tellsOfRun(0, 0)
			m.tellsOfRun(0, 0)
			m.tellsOfRun(7, 0)
		}, false},
		"a start of ours comes in between": {func(m *fakeManager) {
			m.tellsOfRun(0, 0)
			ask := m.wants(propertiesInterface + ".GetAll " + unitInterface)[0]
			m.r.StartAgain([]string{online})
			m.wants("StartUnit " + online)
			m.calls = append(m.calls, ask)
			m.tellsOfRun(0, 0)
		}, false},
		"a manager comes in between": {func(m *fakeManager) {
			m.owner(":1.2")
			m.list(m.calls[len(m.calls)-1], isOnline)
			m.calls = nil
			m.tellsOfTarget("active", 0)
			m.tellsOfRun(0, 0)
			m.tellsOfRun(0, 0)
			m.tellsOfRun(0, 0)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.unused("active", 0)
			test.then(m)
			m.wants("")
			if got := len(m.moved.Unused) == 1; got != test.want || len(m.moved.Done) > 0 {
				t.Errorf("moved: %+v", m.moved)
			}
		})
	}
}

// A sleep that was short may have left the start of the target behind.
func TestATargetThatIsAboutToBeActiveMayBeUnused(t *testing.T) {
	for name, job := range map[string]uint32{"it is": 1, "somebody starts it later": 0} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.begin(allDown)
			m.r.FindUnused([]string{online})
			m.tellsOfTarget("inactive", job)
			m.is(online, "active", "")
			if (len(m.wanting) == 1) != (job == 1) {
				t.Errorf("it is asked again %d times", len(m.wanting))
			}
		})
	}
}

// ends signals a service's Result and, as the manager does, its state after that.
func (m *fakeManager) ends(result, active string) {
	m.hears(bustest.PropertiesChanged(0, unitPath("locker.service"), serviceInterface, map[string]dbus.Variant{"Result": dbus.MakeVariant(result)}))
	m.is("locker.service", active, "")
}

func TestALockerThatEndsBadlyByItselfHasCrashed(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(*fakeManager)
		want    bool
	}{
		"it runs":                 {func(*fakeManager) {}, false},
		"it ends well":            {func(m *fakeManager) { m.ends("success", "deactivating") }, false},
		"it crashes":              {func(m *fakeManager) { m.ends("core-dump", "deactivating") }, true},
		"it crashes, and is over": {func(m *fakeManager) { m.ends("signal", "failed") }, true},
		"it crashes, and starts anew": {func(m *fakeManager) {
			m.ends("signal", "activating")
			m.ends("success", "active")
		}, true},
		"it crashes, starts anew, and ends well": {func(m *fakeManager) {
			m.ends("signal", "activating")
			m.ends("success", "active")
			m.is("locker.service", "inactive", "")
			m.answer(m.wants(propertiesInterface + ".GetAll ")[0], nil, map[string]dbus.Variant{
				"ActiveState": dbus.MakeVariant("inactive"), "Result": dbus.MakeVariant("success"),
			})
		}, false},
		"its ExecStopPost= goes on": {func(m *fakeManager) {
			m.ends("signal", "deactivating")
			m.r.now = func() time.Time { return time.Now().Add(2 * crashTime) }
		}, true},
		"it crashes while it starts": {func(m *fakeManager) {
			m.ends("success", "inactive")
			m.is("locker.service", "activating", "/job/9")
			m.ends("exit-code", "failed")
		}, true},
		"a start kills it that wants the other target": {func(m *fakeManager) {
			m.ends("success", "inactive")
			m.is("locker.service", "activating", "/job/9")
			m.r.Want(wantOffline)
			m.ends("signal", "failed")
		}, false},
		"it crashes, and the other target is wanted before it is over": {func(m *fakeManager) {
			m.ends("signal", "deactivating")
			m.r.Want(wantOffline)
			m.ends("signal", "failed")
			m.r.now = func() time.Time { return time.Now().Add(crashTime) }
		}, false},
		"the manager changes while it crashes": {func(m *fakeManager) {
			m.ends("signal", "deactivating")
			m.owner(":1.2")
			m.r.now = func() time.Time { return time.Now().Add(crashTime) }
		}, false},
		"a stop kills it": {func(m *fakeManager) {
			m.is("locker.service", "active", "/job/9")
			m.ends("timeout", "failed")
		}, false},
		"it is skipped": {func(m *fakeManager) {
			m.ends("success", "inactive")
			m.is("locker.service", "activating", "")
			m.ends("exec-condition", "inactive")
		}, false},
		"it has crashed a while ago": {func(m *fakeManager) {
			m.ends("signal", "failed")
			m.r.now = func() time.Time { return time.Now().Add(crashTime) }
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.locked()
			test.happens(m)
			if got := m.r.Crashed([]string{online}) == "locker.service"; got != test.want {
				t.Errorf("it has crashed: %t", got)
			}
			if m.r.Crashed([]string{offline}) != "" {
				t.Error("it counts for another target")
			}
		})
	}
}

// What only a starter of the target wants may be a locker, and more often is none.
func TestACrashOfWhatAStarterWantsCounts(t *testing.T) {
	lastWords := dbus.MakeVariant([][]any{{"/bin/loginctl"}})
	for name, test := range map[string]struct {
		all  map[string]dbus.Variant
		want bool
	}{
		"of a locker":                       {map[string]dbus.Variant{"Type": dbus.MakeVariant("simple"), "ExecStopPost": lastWords}, true},
		"of one that starts another":        {map[string]dbus.Variant{"Type": dbus.MakeVariant("notify"), "OnFailure": dbus.MakeVariant([]string{"b.service"})}, true},
		"not of a oneshot":                  {map[string]dbus.Variant{"Type": dbus.MakeVariant("oneshot"), "ExecStopPost": lastWords}, false},
		"not of one that then says no more": {map[string]dbus.Variant{"Type": dbus.MakeVariant("simple"), "ExecStop": lastWords, "ExecStopPost": dbus.MakeVariant([][]any{}), "OnFailure": dbus.MakeVariant([]string{})}, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.r.yieldToEachOther(map[string][]string{online: {"night.target"}, offline: nil})
			m.begin(isOnline)
			m.r.Want(wantOnline)
			m.answer(m.wanting[len(m.wanting)-1], nil, map[string]dbus.Variant{"Wants": dbus.MakeVariant([]string{"dim.service"})})
			m.answer(m.wants(propertiesInterface + ".GetAll " + unitInterface)[0], nil, map[string]dbus.Variant{"Wants": dbus.MakeVariant([]string{online, "mine.target"})})
			m.answer(m.wants(propertiesInterface + ".GetAll " + unitInterface)[0], nil, map[string]dbus.Variant{"Wants": dbus.MakeVariant([]string{"locker.service", "dim.service"})})
			test.all["ActiveState"], test.all["Result"] = dbus.MakeVariant("active"), dbus.MakeVariant("success")
			m.answer(m.wants(propertiesInterface + ".GetAll , " + propertiesInterface + ".GetAll ")[1], nil, test.all)

			m.ends("signal", "deactivating")
			if got := m.r.Crashed([]string{online}) == "locker.service"; got != test.want {
				t.Errorf("it has crashed: %t", got)
			}
			m.is("locker.service", "active", "")
			m.ends("success", "deactivating")
			m.is("locker.service", "inactive", "")
			m.wants("") // its good end is of no interest
		})
	}
}

func TestAServiceWithoutAMainProcessMayHaveCrashed(t *testing.T) {
	for pid, want := range map[uint32]int{0: 0, 7: 1} {
		m := newManager(t)
		m.locked()
		m.is("locker.service", "inactive", "")
		m.answer(m.wants(propertiesInterface + ".GetAll ")[0], nil, map[string]dbus.Variant{
			"ActiveState": dbus.MakeVariant("inactive"), "Result": dbus.MakeVariant("success"),
			"Type": dbus.MakeVariant("forking"), "ExecMainPID": dbus.MakeVariant(pid),
		})
		if len(m.moved.Done) != want {
			t.Errorf("with the main process %d: done %v", pid, m.moved.Done)
		}
	}
}
