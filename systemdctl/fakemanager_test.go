package systemdctl

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

const online, offline = "internet-online.target", "internet-offline.target"

var (
	allDown  = map[string]string{online: "inactive", offline: "inactive"}
	isOnline = map[string]string{online: "active", offline: "inactive"}

	wantOnline  = map[string]bool{online: true, offline: false}
	wantOffline = map[string]bool{online: false, offline: true}
	allUnwanted = map[string]bool{online: false, offline: false}
)

// fakeManager is a user manager. The test dictates every answer and signal.
type fakeManager struct {
	*bustest.Service
	t     *testing.T
	calls []*dbus.Call
	// questions are the calls that ask which units a target conflicts with.
	questions []*dbus.Call
	// wanting are the calls that ask what a yielding target wants.
	wanting  []*dbus.Call
	sequence dbus.Sequence
	r        *Reconciler
	replies  chan func() Moved
	moved    Moved // as the reconciler last returned it
	laptop   *laptop

	listening int
	log       strings.Builder
}

// targets are the targets that a test's reconciler manages.
type targets struct {
	names, patterns []string
	yielding        []map[string][]string
}

func (t targets) Targets() []string { return t.names }

func (t targets) Patterns() []string { return t.patterns }

func (t targets) Yielding() []map[string][]string { return t.yielding }

func newManager(t *testing.T) *fakeManager {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	m := &fakeManager{t: t, replies: make(chan func() Moved), laptop: newLaptop()}
	m.Service = bustest.NewService(m.called)
	log := slog.New(slog.NewTextHandler(io.MultiWriter(&m.log, testWriter{t}), nil))
	m.r = New(ctx, m, targets{names: []string{online, offline}}, m.post(ctx), time.Now, m.laptop.clocks(), log)
	m.listening = 0 // it never stops listening to the targets
	return m
}

// newManagerOf returns a manager whose reconciler manages the given targets.
func newManagerOf(t *testing.T, managed targets) *fakeManager {
	t.Helper()
	m := newManager(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	m.r = New(ctx, m, managed, m.post(ctx), time.Now, m.laptop.clocks(), m.r.log)
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

func (m *fakeManager) Listen(string) (stop func()) {
	m.listening++
	return func() { m.listening-- }
}

func (m *fakeManager) called(call *dbus.Call) {
	call.Method = strings.TrimPrefix(call.Method, managerInterface+".")
	switch {
	case len(call.Args) == 2 && call.Args[1] == "Conflicts":
		m.questions = append(m.questions, call)
	case m.r.waiting == nil && call.Method == propertiesInterface+".GetAll" && call.Args[0] == unitInterface && m.r.unitAt(call.Path) != nil:
		m.wanting = append(m.wanting, call)
	default:
		m.calls = append(m.calls, call)
	}
}

// asked returns the calls since its last call, and the same as words.
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

// wants checks which calls were made, and returns them.
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
	bustest.Answer(call, m.sequence, err, body...)
	m.takeReply()
}

func (m *fakeManager) takeReply() {
	m.t.Helper()
	m.moved = bustest.Next(m.t, m.replies, "a reply")()
}

func (m *fakeManager) signal(path dbus.ObjectPath, name string, body ...any) {
	m.hears(&dbus.Signal{Path: path, Name: name, Body: body})
}

// hears makes the reconciler handle a signal that is newer than all others.
func (m *fakeManager) hears(signal *dbus.Signal) {
	m.sequence++
	signal.Sequence = m.sequence
	m.moved, _ = m.r.Signal(signal)
}

func (m *fakeManager) owner(name string) { m.hears(bustest.OwnerChanged(ManagerName, name)) }

// is signals a unit's state. An empty path stands for no job.
func (m *fakeManager) is(unit, active string, job dbus.ObjectPath) {
	id := uint32(0)
	if job == "" {
		job = "/"
	} else {
		id = 1
	}
	m.hears(bustest.PropertiesChanged(0, unitPath(unit), unitInterface, map[string]dbus.Variant{
		"ActiveState": dbus.MakeVariant(active),
		"Job":         dbus.MakeVariant([]any{id, job}), // so godbus decodes a structure
	}))
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

// begin brings the reconciler into a state in which it knows the units' states.
func (m *fakeManager) begin(states map[string]string) {
	m.t.Helper()
	m.owner(":1.1")
	calls := m.wants("Subscribe, ListUnitsByNames")
	m.answer(calls[0], nil)
	m.list(calls[1], states)
}

// move signals that one target is active and the other is not, and that their
// jobs are done.
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
