package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
)

const (
	// takeTimeout bounds one attempt at taking a lock.
	takeTimeout = 10 * time.Second
	// A failed attempt is repeated after firstTry, then after twice as long each
	// time, up to lastTry.
	firstTry = 500 * time.Millisecond
	lastTry  = 30 * time.Second
	// defaultDelay is logind's own InhibitDelayMaxSec= (logind.conf(5)).
	defaultDelay = 5 * time.Second
	// longestDelay is the most of InhibitDelayMaxSec= that counts, because it may be
	// infinity.
	longestDelay = time.Hour
)

// refused is the state of a lock that logind does not let this user take.
const refused = "refused"

// TakeLock takes a delay lock on an operation of logind. Closing the lock lets the
// operation continue.
type TakeLock func(ctx context.Context, what string) (io.Closer, error)

// Jobs is how a delay waits for the units of a target.
type Jobs interface {
	// AwaitJobs calls done once everything that our latest jobs started has finished,
	// and so has every job of a unit that starts or stops with the targets.
	AwaitJobs(targets []string, done func())
	// StopWaiting ends that wait.
	StopWaiting()
	// Unfinished returns the units that the wait is for, as far as they are known.
	Unfinished() []string
}

// Delay holds a delay lock. It releases the lock once the units that must run
// before the operation have finished, or once the time for that is nearly up. It
// never holds two locks. It belongs to the goroutine of [Run].
type Delay struct {
	what string
	// targets are the targets whose units it waits for.
	targets []string
	take    TakeLock
	jobs    Jobs
	now     func() time.Time
	log     *slog.Logger

	inbox    Inbox
	owner    string // the logind that gave the lock
	lock     io.Closer
	taking   bool
	refused  bool   // for good, by this logind
	failure  string // as last logged; empty once there was a lock
	retry    time.Time
	pause    time.Duration
	underway bool // whether the operation has begun
	waiting  bool // whether units are waited for
	limit    time.Duration
	deadline time.Time
}

// NewDelay returns a delay of an operation such as "sleep" until the units of
// targets have finished. Locks arrive in the inbox of the goroutine that it
// belongs to.
func NewDelay(what string, targets []string, take TakeLock, jobs Jobs, inbox Inbox, now func() time.Time, log *slog.Logger) *Delay {
	return &Delay{what: what, targets: targets, take: take, jobs: jobs, inbox: inbox, now: now, log: log}
}

// What returns the operation.
func (d *Delay) What() string { return d.what }

// State returns "held", "refused" or "not held".
func (d *Delay) State() string {
	switch {
	case d.lock != nil:
		return "held"
	case d.refused:
		return refused
	}
	return "not held"
}

// waits reports whether the lock makes logind wait for units.
func (d *Delay) waits() bool { return d.waiting }

// Follow keeps the lock as it must be: taken from the present logind until the
// operation begins, and released in time after that. limit is how long logind
// waits for locks.
func (d *Delay) Follow(ctx context.Context, owner string, underway bool, limit time.Duration) {
	if owner != d.owner {
		// A lock of a logind that has gone still delays the next one.
		d.release()
		d.owner = owner
		d.TryAgain()
	}
	d.underway = underway
	switch {
	case !underway:
		d.stopWaiting()
		d.hold(ctx)
	case d.lock != nil && !d.waiting:
		d.waiting = true
		d.limit = time.Duration(float64(limit) * client.DelayShare)
		d.deadline = d.now().Add(d.limit)
		d.jobs.AwaitJobs(d.targets, func() {
			d.waiting = false
			d.release()
		})
	}
}

// TryAgain makes the next [Delay.Follow] take the lock again, if there is none,
// although it was refused.
func (d *Delay) TryAgain() {
	d.refused, d.retry, d.pause = false, d.now(), firstTry
}

// Due returns when to call [Delay.Tick] next, if at all.
func (d *Delay) Due() (due time.Time, waiting bool) {
	switch {
	case d.waiting:
		return d.deadline, true
	case d.mayTake():
		return d.retry, true
	}
	return time.Time{}, false
}

// Tick releases the lock when the time is nearly up.
func (d *Delay) Tick() {
	if !d.waiting || d.now().Before(d.deadline) {
		return
	}
	next := "raise InhibitDelayMaxSec= in logind.conf"
	if d.limit >= time.Duration(float64(longestDelay)*client.DelayShare) {
		next = fmt.Sprintf("make the units faster: the bridge waits for them at most %v, whatever InhibitDelayMaxSec= says", d.limit)
	}
	if unfinished := d.jobs.Unfinished(); len(unfinished) > 0 {
		d.log.Warn(d.what+" begins with units unfinished", "unfinished", strings.Join(unfinished, " "), "next", next)
	} else {
		d.log.Warn(d.what+" begins before the user manager has said which units are unfinished", "next", next)
	}
	d.stopWaiting()
	d.release()
}

// taken handles a logind's lock, or the reason why there is none.
func (d *Delay) taken(owner string, lock io.Closer, err error) {
	d.taking = false
	if err == nil {
		d.lock, d.pause, d.failure = lock, firstTry, ""
		if owner != d.owner {
			d.release()
		}
		return
	}
	d.retry = d.now().Add(d.pause)
	d.pause = min(2*d.pause, lastTry)
	isNews := err.Error() != d.failure
	var refusal dbus.Error
	_ = errors.As(err, &refusal) // its name stays empty otherwise
	switch refusal.Name {
	case "org.freedesktop.login1.OperationInProgress":
		return // the operation has begun without us; the next attempt comes after it
	case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired":
		d.refused = true
		if isNews {
			d.log.Warn("logind does not let this user delay "+d.what+", so it does not wait for units",
				"error", err, "next", "install polkit (Debian: apt install polkitd), then systemctl --user reload nm-session-bridge.service")
		}
	default:
		if isNews {
			d.log.Warn("cannot delay "+d.what+"; trying again", "error", err)
		}
	}
	d.failure = err.Error()
}

// Close releases the lock.
func (d *Delay) Close() {
	d.stopWaiting()
	d.release()
}

func (d *Delay) hold(parent context.Context) {
	if !d.mayTake() || d.now().Before(d.retry) {
		return
	}
	d.taking = true
	owner := d.owner
	go func() {
		ctx, cancel := context.WithTimeout(parent, takeTimeout)
		defer cancel()
		lock, err := d.take(ctx, d.what)
		isPosted := d.inbox.Post(parent, func() Change {
			d.taken(owner, lock, err)
			return Change{Urgent: true}
		})
		if !isPosted && err == nil {
			_ = lock.Close()
		}
	}()
}

func (d *Delay) mayTake() bool {
	return d.owner != "" && !d.underway && d.lock == nil && !d.taking && !d.refused
}

func (d *Delay) stopWaiting() {
	if d.waiting {
		d.waiting = false
		d.jobs.StopWaiting()
	}
}

func (d *Delay) release() {
	if d.lock == nil {
		return
	}
	if err := d.lock.Close(); err != nil {
		d.log.Warn("cannot release the delay lock on "+d.what, "error", err)
	}
	d.lock = nil
}

// limitOf returns how long logind waits for delay locks, but at most an hour. Its
// arguments are InhibitDelayMaxUSec, and whether that is known.
func limitOf(micros uint64, known bool) time.Duration {
	if !known {
		return defaultDelay
	}
	return time.Duration(min(micros, uint64(longestDelay.Microseconds()))) * time.Microsecond
}
