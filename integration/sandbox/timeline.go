package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// EventKind says what an Event reports.
type EventKind string

const (
	// UnitChanged says that a unit has another ActiveState or SubState, or was started again.
	UnitChanged EventKind = "unit"
	// JobQueued says that the user manager took a job for a unit.
	JobQueued EventKind = "job-queued"
	// JobRemoved says that a job ended, with a Result such as "done", "failed" or "canceled".
	JobRemoved EventKind = "job-removed"
	// Interrupted says that the user manager got another name on the bus, as by daemon-reexec. Its
	// signals in between are lost. Changed states of units follow as events.
	Interrupted EventKind = "interrupted"
)

// Event is one thing that the user manager signalled.
type Event struct {
	Time time.Time // when it arrived
	Kind EventKind
	Unit string
	// Active and Sub are the unit's ActiveState and SubState, of UnitChanged.
	Active, Sub string
	// Started marks the first UnitChanged of a new start.
	Started bool
	// Job is the job's number and Result its end.
	Job    uint32
	Result string
}

// String returns one line for logs and failed tests.
func (e Event) String() string {
	at := e.Time.Format("15:04:05.000")
	switch e.Kind {
	case UnitChanged:
		start := ""
		if e.Started {
			start = ", started"
		}
		return fmt.Sprintf("%s %s %s (%s%s)", at, e.Unit, e.Active, e.Sub, start)
	case JobQueued, JobRemoved:
		return strings.TrimSpace(fmt.Sprintf("%s %s %s %d %s", at, e.Unit, e.Kind, e.Job, e.Result))
	}
	return fmt.Sprintf("%s %s", at, e.Kind)
}

// Timeline records the user manager's signals about its units, beginning when it is made. It is
// safe for concurrent use.
//
// A new InvocationID marks a start, so a oneshot that runs again, an automatic restart and a start
// that fails at once all count.
type Timeline struct {
	conn *dbus.Conn

	mu      sync.Mutex
	events  []Event
	units   map[string]unitState
	starts  map[string]int
	known   map[string]bool // every InvocationID seen
	change  chan struct{}   // closed at the next event and at the end
	err     error           // why no more events come
	reading bool            // whether the units are being read; signals then wait in backlog
	backlog []*dbus.Signal
}

type unitState struct{ active, sub string }

// ErrTimelineEnded is in the error of every wait on a Timeline that has ended.
var ErrTimelineEnded = errors.New("the timeline has ended")

// Timeline starts recording the user's manager.
func (sb *Sandbox) Timeline(ctx context.Context) (*Timeline, error) {
	return Record(ctx, UID, SessionBus)
}

// Record starts recording the user manager on the session bus at a path, as the user that it
// belongs to. It ends with the session bus or at Close. It goes on when the user manager executes
// itself again.
func Record(ctx context.Context, uid int, sessionBus string) (*Timeline, error) {
	t := &Timeline{
		units:   map[string]unitState{},
		starts:  map[string]int{},
		known:   map[string]bool{},
		change:  make(chan struct{}),
		reading: true,
	}
	conn, err := connectAs(ctx, uid, sessionBus, t)
	if err != nil {
		return nil, fmt.Errorf("cannot record a timeline: %w", err)
	}
	t.conn = conn
	err = join(
		conn.AddMatchSignalContext(ctx, ownerMatch(systemdName)...),
		conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(systemdName), dbus.WithMatchObjectPath(systemdPath), dbus.WithMatchMember("JobNew")),
		conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(systemdName), dbus.WithMatchObjectPath(systemdPath), dbus.WithMatchMember("JobRemoved")),
		conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(systemdName), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchArg(0, systemdUnit)),
	)
	if err == nil {
		err = t.read(ctx)
	}
	if err != nil {
		return nil, join(fmt.Errorf("cannot record a timeline: %w", err), conn.Close())
	}
	return t, nil
}

// Close ends the recording. The recorded events stay available.
func (t *Timeline) Close() error { return t.conn.Close() }

// Err returns nil while the recording goes on, and then the reason why it ended.
func (t *Timeline) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Events returns what was recorded so far, in order.
func (t *Timeline) Events() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Event(nil), t.events...)
}

// Event returns the event with an index. It waits for an event that has not happened yet.
func (t *Timeline) Event(ctx context.Context, index int) (Event, error) {
	if err := t.waitUntil(ctx, fmt.Sprintf("event %d", index), func() bool { return index < len(t.events) }); err != nil {
		return Event{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.events[index], nil
}

// State returns a unit's ActiveState: "inactive" for one that is not loaded.
func (t *Timeline) State(unit string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state(unit)
}

// Starts returns how often a unit was started since the timeline was made. The count holds only if there
// were no Interruptions.
func (t *Timeline) Starts(unit string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.starts[unit]
}

// Interruptions returns the times at which events may have been missed.
func (t *Timeline) Interruptions() []time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	var times []time.Time
	for _, event := range t.events {
		if event.Kind == Interrupted {
			times = append(times, event.Time)
		}
	}
	return times
}

// Wait waits until a unit's ActiveState is the given one.
func (t *Timeline) Wait(ctx context.Context, unit, state string) error {
	return t.waitUntil(ctx, unit+" to be "+state, func() bool { return t.state(unit) == state })
}

// WaitStarts waits until a unit was started the given number of times since the timeline was made.
func (t *Timeline) WaitStarts(ctx context.Context, unit string, starts int) error {
	return t.waitUntil(ctx, fmt.Sprintf("start %d of %s", starts, unit), func() bool { return t.starts[unit] >= starts })
}

// Settle waits until the user manager has no job left and everything that it signalled is recorded.
// After that, an event that is not recorded did not happen.
func (t *Timeline) Settle(ctx context.Context) error {
	for {
		t.mu.Lock()
		change, reading, ended := t.change, t.reading, t.err
		t.mu.Unlock()
		if ended != nil {
			return ended
		}
		jobs, err := t.jobs(ctx)
		if err == nil && len(jobs) == 0 && !reading {
			// The bus keeps the order, so every signal before this answer is recorded already.
			return nil
		}
		// The call failed because the user manager was executing itself again. Its return is an event.
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("wait for the user manager to end its jobs %v: %w", jobs, join(err, ctx.Err()))
		}
	}
}

// CatchUp waits until everything is recorded that the user manager has told others by now.
func (t *Timeline) CatchUp(ctx context.Context) error {
	// The bus passes on signals before it answers a later question.
	if err := t.conn.BusObject().CallWithContext(ctx, dbusName+".GetId", 0).Err; err != nil {
		return fmt.Errorf("cannot catch up with the user manager: %w", err)
	}
	return t.waitUntil(ctx, "the units to be read", func() bool { return !t.reading })
}

// jobs returns the units that have a job.
func (t *Timeline) jobs(ctx context.Context) ([]string, error) {
	var jobs [][]any
	manager := t.conn.Object(systemdName, systemdPath)
	if err := manager.CallWithContext(ctx, systemdManager+".ListJobs", dbus.FlagNoAutoStart).Store(&jobs); err != nil {
		return nil, err
	}
	var units []string
	for _, job := range jobs {
		units = append(units, fmt.Sprint(job[1]))
	}
	return units, nil
}

// state is called with mu held.
func (t *Timeline) state(unit string) string {
	if state, ok := t.units[unit]; ok {
		return state.active
	}
	return "inactive"
}

// waitUntil waits for a condition, which it evaluates with mu held.
func (t *Timeline) waitUntil(ctx context.Context, what string, condition func() bool) error {
	for {
		t.mu.Lock()
		met, change, err := condition(), t.change, t.err
		t.mu.Unlock()
		if met {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		}
	}
}
