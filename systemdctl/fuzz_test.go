package systemdctl

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
	"github.com/nm-session-bridge/nm-session-bridge/integration/variations"
)

// moment is the state of a reconciler when something odd happens.
type moment struct {
	active  string // the target that is active, or ""
	wanted  string // the target that is wanted
	jobs    int    // progress of its jobs: 0 requested, 1 answered, 2 ended
	waiting bool   // whether jobs are awaited
}

func anyMoment(which byte) moment {
	return moment{
		active:  []string{"", online, offline}[which%3],
		wanted:  []string{online, offline}[which/3%2],
		jobs:    int(which / 6 % 3),
		waiting: which/18%2 == 1,
	}
}

const moments = 36

// longRetry is the pause after a failed reading. It outlasts the test on any
// machine.
const longRetry = time.Hour

// honest is a manager that does what it is asked and reports it truthfully.
type honest struct {
	*fakeManager
	active   map[string]bool
	wanted   map[string]bool
	pending  []*dbus.Call // not answered yet
	finished int          // how often a wait was over
}

// honestAt brings a reconciler to a moment.
func honestAt(t *testing.T, now moment) *honest {
	t.Helper()
	h := &honest{fakeManager: newManager(t), active: map[string]bool{now.active: true}}
	h.begin(h.states())
	h.r.backoff = longRetry
	h.wanted = map[string]bool{online: now.wanted == online, offline: now.wanted == offline}
	h.r.Want(h.wanted)
	if now.waiting {
		h.r.AwaitJobs(nil, func() { h.finished++ })
	}
	switch now.jobs {
	case 0:
		h.take()
	case 1:
		h.take()
		for _, call := range h.pending {
			h.answer(call, nil, jobPath(call))
		}
		h.pending = nil
		h.take()
	default:
		h.serve()
	}
	return h
}

func (h *honest) states() map[string]string {
	states := map[string]string{online: "inactive", offline: "inactive"}
	for unit, active := range h.active {
		if active {
			states[unit] = "active"
		}
	}
	return states
}

func jobPath(call *dbus.Call) dbus.ObjectPath {
	if call.Method == "ListJobs" {
		return "/"
	}
	return managerPath + "/job/" + dbus.ObjectPath(map[any]string{online: "41", offline: "42"}[call.Args[0]])
}

// take takes the calls that were made and checks them. None may start an unwanted
// target, stop a wanted one, or concern units that are not managed.
func (h *honest) take() {
	h.t.Helper()
	for _, call := range h.questions {
		conflicts := map[dbus.ObjectPath]string{unitPath(online): offline, unitPath(offline): online}[call.Path]
		h.answer(call, nil, dbus.MakeVariant([]string{conflicts}))
	}
	h.questions = nil
	calls, words := h.asked()
	for _, call := range calls {
		switch call.Method {
		case "ListUnitsByNames":
			if !reflect.DeepEqual(call.Args, []any{[]string{online, offline}}) {
				h.t.Errorf("asked for the states of %v", call.Args)
			}
		case "ListJobs":
		case "StartUnit", "StopUnit":
			wanted, managed := h.wanted[fmt.Sprint(call.Args[0])]
			if !managed || wanted != (call.Method == "StartUnit") {
				h.t.Errorf("asked for %s", words)
			}
		default:
			h.t.Errorf("asked for %s", words)
		}
	}
	h.pending = append(h.pending, calls...)
}

// reads reports whether the states are being read.
func (h *honest) reads() bool {
	return slices.ContainsFunc(h.pending, func(call *dbus.Call) bool { return call.Method == "ListUnitsByNames" })
}

// serve answers and carries out calls until none is left.
func (h *honest) serve() {
	h.t.Helper()
	const many = 50
	for range many {
		h.take()
		if len(h.pending) == 0 {
			return
		}
		call := h.pending[0]
		h.pending = h.pending[1:]
		switch call.Method {
		case "ListUnitsByNames":
			h.list(call, h.states())
		case "ListJobs":
			h.answer(call, nil, []systemd.JobStatus{})
		default:
			unit := fmt.Sprint(call.Args[0])
			h.answer(call, nil, jobPath(call))
			h.become(unit, call.Method == "StartUnit")
			h.removed(unit, jobPath(call), "done")
		}
	}
	h.t.Errorf("after %d answers it still asks", many)
}

func (h *honest) become(unit string, active bool) {
	for other := range h.wanted {
		if active && other != unit && h.active[other] {
			h.become(other, false) // they conflict
		}
	}
	h.active[unit] = active
	h.is(unit, h.states()[unit], "")
}

// recovers checks that every target is as wanted once the truth has been read.
func (h *honest) recovers() {
	h.t.Helper()
	h.serve() // an invented signal may end a job that is answered only now
	h.r.Reread()
	h.serve()
	for unit, wanted := range h.wanted {
		believed := slices.Contains(h.r.Active(), unit)
		if h.active[unit] != wanted || believed != wanted {
			h.t.Errorf("%s is active: %t, believed to be: %t, wanted: %t", unit, h.active[unit], believed, wanted)
		}
	}
	if pending, problem := h.r.Progress(h.wanted); pending || problem != "" {
		h.t.Errorf("pending %t, problem %q", pending, problem)
	}
	if h.listening != 0 || h.finished > 1 {
		h.t.Errorf("listening to %d, finished %d times", h.listening, h.finished)
	}
}

// saysState returns the state that a PropertiesChanged signal gives a unit, if
// any, and reports whether the signal makes sense.
func saysState(body []any) (state string, told, sense bool) {
	if len(body) != 3 {
		return "", false, false
	}
	iface, isString := body[0].(string)
	changed, isMap := body[1].(map[string]dbus.Variant)
	_, isList := body[2].([]string)
	if !isString || !isMap || !isList {
		return "", false, false
	}
	if iface != unitInterface {
		return "", false, true
	}
	v, told := changed["ActiveState"]
	if told {
		if state, told = v.Value().(string); !told {
			return "", false, false
		}
	}
	v, queued := changed["Job"]
	if !queued {
		return state, told, true
	}
	job, isStructure := v.Value().([]any)
	if !isStructure || len(job) != 2 {
		return state, told, false
	}
	_, isID := job[0].(uint32)
	_, isPath := job[1].(dbus.ObjectPath)
	return state, told, isID && isPath
}

func isString(value any) bool {
	_, is := value.(string)
	return is
}

func makesSense(member string, body []any) bool {
	switch member {
	case "JobRemoved":
	case "UnitNew":
		return len(body) == 2 && isString(body[0])
	default:
		return true
	}
	if len(body) != 4 {
		return false
	}
	_, isID := body[0].(uint32)
	_, isPath := body[1].(dbus.ObjectPath)
	_, isName := body[2].(string)
	_, isResult := body[3].(string)
	return isID && isPath && isName && isResult
}

// FuzzSignal sends one signal of any content at any moment.
func FuzzSignal(target *testing.F) {
	f := variations.Of(target)
	type job struct {
		ID   uint32
		Path dbus.ObjectPath
	}
	type emitter struct {
		path          dbus.ObjectPath
		iface, member string
	}
	emitters := []emitter{
		{unitPath(online), propertiesInterface, "PropertiesChanged"},
		{unitPath(offline), propertiesInterface, "PropertiesChanged"},
		{managerPath, managerInterface, "JobRemoved"},
		{managerPath, managerInterface, "Reloading"},
		{unitPath("another.target"), propertiesInterface, "PropertiesChanged"},
		{managerPath, managerInterface, "UnitNew"},
	}
	add := func(when, from int, values ...any) {
		signature, body := bustest.Body(values...)
		f.Add(byte(when), byte(from), signature, body)
	}
	for when := range moments {
		for _, state := range []string{"active", "inactive", "failed", "activating"} {
			add(when, when%2, unitInterface, map[string]dbus.Variant{
				"ActiveState": dbus.MakeVariant(state), "Job": dbus.MakeVariant(job{0, "/"}),
			}, []string{})
		}
		add(when, when%2, unitInterface, map[string]dbus.Variant{"Job": dbus.MakeVariant(job{7, managerPath + "/job/7"})}, []string{})
		for _, result := range []string{"done", "canceled", "failed"} {
			add(when, 2, uint32(41), managerPath+"/job/41", online, result)
			add(when, 2, uint32(42), managerPath+"/job/42", offline, result)
		}
		add(when, 2, uint32(7), managerPath+"/job/7", "another.service", "done")
		add(when, 2, "7", managerPath+"/job/7", online, "done")
		add(when, 3, false)
		add(when, 5, "connection@moon.target", unitPath("connection@moon.target"))
		add(when, 5, uint32(5), managerPath)
	}
	add(0, 0, unitInterface, map[string]dbus.Variant{"ActiveState": dbus.MakeVariant(uint32(1))}, []string{})
	add(0, 0, unitInterface, map[string]dbus.Variant{"Job": dbus.MakeVariant(uint32(1))}, []string{})
	add(0, 0, "org.freedesktop.systemd1.Target", map[string]dbus.Variant{}, []string{})
	f.Fuzz(func(t *testing.T, when, from byte, signature string, body []byte) {
		e := emitters[int(from)%len(emitters)]
		signal := bustest.ReceiveSignal(e.path, e.iface, e.member, signature, body)
		if signal == nil {
			return
		}
		h := honestAt(t, anyMoment(when))
		if h.reads() {
			t.Fatal("the states are being read already")
		}
		before := map[string]bool{online: slices.Contains(h.r.Active(), online), offline: slices.Contains(h.r.Active(), offline)}
		h.hears(signal)
		h.take()

		state, told, sense := "", false, makesSense(e.member, signal.Body)
		moved := h.r.unitAt(e.path)
		if moved != nil {
			state, told, sense = saysState(signal.Body)
		}
		reloaded := e.member == "Reloading" && len(signal.Body) == 1 && signal.Body[0] == false
		if h.reads() != (!sense || reloaded) {
			t.Errorf("the states are read: %t", h.reads())
		}
		for unit, was := range before {
			want := was
			if moved != nil && moved.name == unit && told {
				want = state == "active"
			}
			if got := slices.Contains(h.r.Active(), unit); got != want {
				t.Errorf("%s is active: %t, not %t", unit, got, want)
			}
		}
		h.recovers()
	})
}

// FuzzAnswer answers anything to one of the calls at any moment.
func FuzzAnswer(target *testing.F) {
	f := variations.Of(target)
	var listed []systemd.UnitStatus
	for _, name := range []string{online, offline} {
		listed = append(listed, systemd.UnitStatus{Name: name, LoadState: "loaded", ActiveState: "active", SubState: "active", Path: unitPath(name), JobPath: "/"})
	}
	for when := range moments {
		for _, content := range []any{
			listed, listed[:1], managerPath + "/job/41", "/job/41", uint32(41),
			[]systemd.JobStatus{{Id: 42, Unit: offline, JobType: "start", Status: "waiting", JobPath: managerPath + "/job/42", UnitPath: unitPath(offline)}},
			[]systemd.JobStatus{},
		} {
			signature, body := bustest.Body(content)
			f.Add(byte(when), byte(0), "", signature, body)
			f.Add(byte(when), byte(1), "", signature, body)
		}
		for _, name := range []string{".NoSuchUnit", ".UnitMasked", ".TransactionIsDestructive"} {
			signature, body := bustest.Body("Unit internet-online.target not found.")
			f.Add(byte(when), byte(0), ManagerName+name, signature, body)
		}
		f.Add(byte(when), byte(0), "org.freedesktop.DBus.Error.NoReply", "", []byte{})
	}
	f.Fuzz(func(t *testing.T, when, which byte, errorName, signature string, body []byte) {
		answer := bustest.ReceiveAnswer(errorName, signature, body)
		if answer == nil {
			return
		}
		h := honestAt(t, anyMoment(when))
		if len(h.pending) == 0 {
			h.r.Reread()
			h.take()
		}
		n := int(which) % len(h.pending)
		call := h.pending[n]
		h.pending = slices.Delete(h.pending, n, n+1)
		before := map[string]bool{online: slices.Contains(h.r.Active(), online), offline: slices.Contains(h.r.Active(), offline)}
		jobs := len(h.pending)
		h.answer(call, answer.Err, answer.Body...)
		h.take()
		if call.Method == "ListUnitsByNames" && !lists(answer.Body, online, offline) {
			for unit, was := range before {
				if slices.Contains(h.r.Active(), unit) != was {
					t.Errorf("%s became active: %t", unit, !was)
				}
			}
			if len(h.pending) != jobs {
				t.Errorf("asked for %s", h.pending[jobs].Method)
			}
			if h.r.backoff == longRetry {
				t.Error("it is not tried again")
			}
		}
		if call.Method == "StartUnit" || call.Method == "StopUnit" {
			_, isPath := only(answer.Body).(dbus.ObjectPath)
			if pending := h.r.unit(fmt.Sprint(call.Args[0])).job != nil; pending && !isPath {
				t.Errorf("%v was accepted as a job", answer.Body)
			}
		}
		h.recovers()
	})
}

// FuzzFailed answers anything about a service that has failed. The service may
// start again only if the start limit kept it from starting with an active target,
// and only once the limit's time is over.
func FuzzFailed(target *testing.F) {
	f := variations.Of(target)
	now := newLaptop().monotonic.now
	failedSince := func(since time.Duration, result, target string) map[string]dbus.Variant {
		all := failedAt(now-since, 10_000_000)
		all["Result"], all["WantedBy"] = dbus.MakeVariant(result), dbus.MakeVariant([]string{"default.target", target})
		return all
	}
	endless := failedAt(now+time.Hour, math.MaxUint64) // in a future that the manager can not know
	for _, values := range []any{
		endless, failedSince(time.Hour, startLimitHit, online), failedSince(time.Hour, startLimitHit, offline),
		failedSince(time.Hour, "exit-code", online), failedSince(-time.Hour, startLimitHit, online),
		failedSince(0, startLimitHit, online),
		map[string]uint32{"Result": 1},
		"start-limit-hit",
	} {
		signature, body := bustest.Body(values)
		f.Add("", signature, body)
		f.Add(ManagerName+".NoSuchUnit", signature, body)
	}
	f.Fuzz(func(t *testing.T, errorName, signature string, body []byte) {
		answer := bustest.ReceiveAnswer(errorName, signature, body)
		if answer == nil {
			return
		}
		h := honestAt(t, moment{active: online, wanted: online, jobs: 2})
		u := h.r.unit(online)
		h.r.revive(revival{target: u, activation: u.activation, service: systemd.UnitStatus{Name: limitedName, Path: unitPath(limitedName)}, clock: &h.laptop.monotonic})
		calls, _ := h.asked()
		h.answer(calls[0], answer.Err, answer.Body...)
		calls, words := h.asked()

		all, _ := only(answer.Body).(map[string]dbus.Variant)
		result, _ := all["Result"].Value().(string)
		wanted, _ := all["WantedBy"].Value().([]string)
		required, _ := all["RequiredBy"].Value().([]string)
		limit, _ := all["StartLimitIntervalUSec"].Value().(uint64)
		at, _ := all["StateChangeTimestampMonotonic"].Value().(uint64)
		inTime := max(0, now-span(at)) >= span(limit)
		if words == propertiesInterface+".GetAll "+unitInterface { // of a target that may be behind ours
			if result != startLimitHit || slices.Contains(append(wanted, required...), online) {
				t.Errorf("asked for %s after %v", words, answer.Body)
			}
			return
		}
		if len(calls) > 0 && (words != "StartUnit "+limitedName || result != startLimitHit || !slices.Contains(append(wanted, required...), online) || !inTime) {
			t.Errorf("asked for %s after %v", words, answer.Body)
		}
		h.recovers()
	})
}

func only(body []any) any {
	if len(body) != 1 {
		return nil
	}
	return body[0]
}

// lists reports whether an answer has an entry for each unit.
func lists(content []any, units ...string) bool {
	entries, _ := only(content).([][]any)
	for _, unit := range units {
		if !slices.ContainsFunc(entries, func(entry []any) bool { return len(entry) == 10 && fmt.Sprint(entry[0]) == unit }) {
			return false
		}
	}
	return true
}

// FuzzRecord reads a record of any content. The record that was read must survive
// being written and read again.
func FuzzRecord(target *testing.F) {
	f := variations.Of(target)
	const file = "/home/gemini/.local/share/systemd/user/lid-open.target"
	for _, content := range []string{
		checksum(nil) + "  " + file + "\n",
		checksum(nil) + "  " + file + "\n" + checksum([]byte("older")) + "  " + file + "\n",
		checksum(nil) + "  relative\n",
		checksum(nil) + "  " + file + "  twice",
		strings.ToUpper(checksum(nil)) + "  " + file + "\n",
		"abc  " + file + "\n",
		"\n",
		"",
	} {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		first, again := Installation{sums: map[string][]string{}}, Installation{sums: map[string][]string{}}
		if err := first.read(content); err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
			return
		}
		lines := 0
		for path, sums := range first.sums {
			if !filepath.IsAbs(path) {
				t.Errorf("the path %q is relative", path)
			}
			for _, sum := range sums {
				if !strings.Contains(content, sum+"  "+path) {
					t.Errorf("%q was read with the sum %q", path, sum)
				}
				lines++
			}
		}
		if want := strings.Count(strings.TrimSuffix(content, "\n")+"\n", "\n"); content != "" && lines != want {
			t.Errorf("%d lines were read, not %d", lines, want)
		}
		if err := again.read(string(first.content())); err != nil {
			t.Fatal(err)
		}
		for _, of := range []Installation{first, again} {
			for _, sums := range of.sums {
				slices.Sort(sums)
			}
		}
		if !maps.EqualFunc(first.sums, again.sums, slices.Equal) {
			t.Errorf("%v became %v", first.sums, again.sums)
		}
	})
}
