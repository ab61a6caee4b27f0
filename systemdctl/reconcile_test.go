package systemdctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// fakeManager is a user manager whose every answer and signal the test says,
// in orders that a real one seldom has.
type fakeManager struct {
	t       *testing.T
	signals chan *dbus.Signal
	calls   []*dbus.Call
	// questions are the calls that ask what targets conflict with.
	questions []*dbus.Call
	sequence  dbus.Sequence
	r         *Reconciler
	replies   chan func() Moved
	moved     Moved // as the reconciler told last
	laptop    *laptop

	listening int
	log       strings.Builder
}

const online, offline = "internet-online.target", "internet-offline.target"

// targets are those that a test has managed.
type targets struct{ names, patterns, yielding []string }

func (t targets) Targets() []string  { return t.names }
func (t targets) Patterns() []string { return t.patterns }
func (t targets) Yielding() []string { return t.yielding }

func newManager(t *testing.T) *fakeManager {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	m := &fakeManager{t: t, signals: make(chan *dbus.Signal), replies: make(chan func() Moved), laptop: newLaptop()}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(&m.log, testWriter{t}), nil))
	m.r = New(ctx, m, targets{names: []string{online, offline}}, m.post(ctx), time.Now, m.laptop.clocks(), log)
	m.listening = 0 // to the targets it listens for good
	return m
}

// post passes replies on until the context ends.
func (m *fakeManager) post(ctx context.Context) func(take func() Moved) {
	return func(take func() Moved) {
		select {
		case m.replies <- take:
		case <-ctx.Done():
		}
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(line []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(line)))
	return len(line), nil
}

func (m *fakeManager) Signals() <-chan *dbus.Signal { return m.signals }

func (m *fakeManager) Listen(string) (stop func()) {
	m.listening++
	return func() { m.listening-- }
}

func (m *fakeManager) Go(_ context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	call := &dbus.Call{Path: path, Method: strings.TrimPrefix(method, managerInterface+"."), Args: args, Done: make(chan *dbus.Call, 1)}
	if len(args) == 2 && args[1] == "Conflicts" {
		m.questions = append(m.questions, call)
	} else {
		m.calls = append(m.calls, call)
	}
	return call
}

// asked takes the calls that were made since, as words.
func (m *fakeManager) asked() (calls []*dbus.Call, words string) {
	calls, m.calls = m.calls, nil
	said := make([]string, 0, len(calls))
	for _, call := range calls {
		word := call.Method
		if len(call.Args) > 0 && word != "ListUnitsByNames" {
			word += fmt.Sprint(" ", call.Args[0])
		}
		said = append(said, word)
	}
	return calls, strings.Join(said, ", ")
}

// wants checks what was asked for, and returns the calls.
func (m *fakeManager) wants(words string) []*dbus.Call {
	m.t.Helper()
	calls, got := m.asked()
	if got != words {
		m.t.Fatalf("asked for %q, not %q", got, words)
	}
	return calls
}

func (m *fakeManager) answer(call *dbus.Call, err error, body ...any) {
	m.t.Helper()
	m.sequence++
	call.Err, call.Body, call.ResponseSequence = err, body, m.sequence
	call.Done <- call
	m.takeReply()
}

func (m *fakeManager) takeReply() {
	m.t.Helper()
	select {
	case take := <-m.replies:
		m.moved = take()
	case <-time.After(time.Minute):
		m.t.Fatal("no reply was passed on")
	}
}

func (m *fakeManager) signal(path dbus.ObjectPath, name string, body ...any) {
	m.sequence++
	m.moved, _ = m.r.Signal(&dbus.Signal{Path: path, Name: name, Body: body, Sequence: m.sequence})
}

func (m *fakeManager) owner(name string) {
	m.signal("/org/freedesktop/DBus", "org.freedesktop.DBus.NameOwnerChanged", ManagerName, "", name)
}

// is signals a unit's state; an empty job path is none.
func (m *fakeManager) is(unit, active string, job dbus.ObjectPath) {
	id := uint32(0)
	if job == "" {
		job = "/"
	} else {
		id = 1
	}
	m.signal(unitPath(unit), propertiesInterface+".PropertiesChanged", unitInterface, map[string]dbus.Variant{
		"ActiveState": dbus.MakeVariant(active),
		"Job":         dbus.MakeVariant([]any{id, job}), // so godbus decodes a structure
	}, []string{})
}

func (m *fakeManager) removed(unit string, job dbus.ObjectPath, result string) {
	m.signal(managerPath, managerInterface+".JobRemoved", uint32(1), job, unit, result)
}

func (m *fakeManager) list(call *dbus.Call, states map[string]string) {
	m.t.Helper()
	var units []systemd.UnitStatus
	for _, name := range slices.Sorted(maps.Keys(states)) {
		u := systemd.UnitStatus{Name: name, LoadState: "loaded", ActiveState: states[name], Path: unitPath(name), JobPath: "/"}
		if u.ActiveState == "queued" {
			u.ActiveState, u.JobId, u.JobPath = "inactive", 7, "/job/7"
		}
		units = append(units, u)
	}
	m.answer(call, nil, units)
}

// begin brings the reconciler to where it knows the states.
func (m *fakeManager) begin(states map[string]string) {
	m.t.Helper()
	m.owner(":1.1")
	calls := m.wants("Subscribe, ListUnitsByNames")
	m.answer(calls[0], nil)
	m.list(calls[1], states)
}

var (
	allDown  = map[string]string{online: "inactive", offline: "inactive"}
	isOnline = map[string]string{online: "active", offline: "inactive"}

	wantOnline  = map[string]bool{online: true, offline: false}
	wantOffline = map[string]bool{online: false, offline: true}
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
		t.Error("a cancelled job of ours is no problem")
	}
}

// conflicts brings the reconciler to where offline is active, and it knows what
// the start of online stops.
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

// move tells that one target is active and the other is not, for good.
func (m *fakeManager) move(active, inactive string) {
	m.t.Helper()
	for _, name := range []string{inactive, active} {
		if u := m.r.unit(name); u.job != nil {
			u.job.path = "/job/" + dbus.ObjectPath(name)
		}
		m.is(name, map[bool]string{true: "active", false: "inactive"}[name == active], "")
		m.removed(name, "/job/"+dbus.ObjectPath(name), "done")
	}
	m.wants("")
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
	m.is(online, "inactive", "") // said after the list, heard before it
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
	m.wants("") // neither is fought for any longer
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
	m.r.Want(wantOffline) // before the manager has told what the start canceled
	m.wants("StopUnit " + online)
	m.is(offline, "inactive", "")
	m.removed(offline, "/job/8", "canceled")
	m.wants("StartUnit " + offline)
	if strings.Contains(m.log.String(), "something else") {
		t.Error("nothing else has moved a target")
	}
}

func TestASignalNewerThanTheListWins(t *testing.T) {
	m := newManager(t)
	m.owner(":1.1")
	calls := m.wants("Subscribe, ListUnitsByNames")
	// The answer was sent first but is taken second.
	m.sequence += 10
	m.is(online, "active", "")
	m.sequence -= 10
	m.list(calls[1], allDown)
	m.r.Want(wantOnline)
	m.wants("")
}

func TestANewManagerIsReadAnew(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOffline)
	calls := m.wants("StopUnit " + online + ", StartUnit " + offline)
	m.owner(":1.2") // daemon-reexec; the calls in flight get no answer but this
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
		t.Error("a logout is no problem")
	}
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
		t.Errorf("giving up was told %d times", said)
	}
	m.r.Want(wantOffline)
	m.wants("StartUnit " + offline)
	m.r.Want(wantOnline)
	m.wants("StopUnit " + offline + ", StartUnit " + online)
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

// newManagerOf is a manager of targets of which some yield, and of a pattern.
func newManagerOf(t *testing.T, managed targets) *fakeManager {
	t.Helper()
	m := newManager(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	m.r = New(ctx, m, managed, m.post(ctx), time.Now, m.laptop.clocks(), m.r.log)
	return m
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
			t.Errorf("nothing is told of %s", target)
		}
	}
	m.wants("")
	m.is(offline, "active", "")
	if m.moved.Yielding {
		t.Error("it is to be told once")
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
	m.r.StartAgain([]string{online}) // on the way, which may take long
	calls := m.wants("StartUnit " + online + ", StartUnit " + online)
	m.answer(calls[0], nil, dbus.ObjectPath("/job/1"))
	m.answer(calls[1], nil, dbus.ObjectPath("/job/1"))
	m.removed(online, "/job/1", "done")
	m.wants("")
	m.is(online, "inactive", "") // which it may be, for it yields
	m.wants("")
	m.r.StartAgain([]string{online})
	m.answer(m.wants("StartUnit " + online)[0], nil, dbus.ObjectPath("/job/2"))
	m.is(online, "active", "")
	m.removed(online, "/job/2", "done")
	m.wants("")
	m.is(online, "inactive", "")
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

// What nobody has spoken of is told of once it is active, and from then on put
// right like all others.
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
	// One that is not loaded any more and not wanted is forgotten, and not loaded by asking for it.
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
		t.Error("the log does not tell")
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

func TestSomebodyElsesJobForASettledTargetIsWaitedFor(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.is(offline, "inactive", "/job/9") // a stop by hand of what is stopped
	m.wants("")
	m.is(offline, "inactive", "")
	m.wants("")
	if m.log.Len() > 0 {
		t.Error("nothing was moved")
	}
}
