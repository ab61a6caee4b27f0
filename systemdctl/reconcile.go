// Package systemdctl makes the user manager's targets equal the wanted ones, and
// installs the necessary units. It uses go-systemd's types but not its
// connections, which dial the bus twice and accept file descriptors.
package systemdctl

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

// If something else starts or stops a target, the bridge corrects that up to
// fightCorrections times within fightWindow. After that it leaves the target alone
// for firstPause, and if the fight goes on, for twice as long each time, up to
// longestPause, or until the facts change.
const (
	fightCorrections = 5
	fightWindow      = 10 * time.Second
	firstPause       = 5 * time.Second
	longestPause     = time.Minute
)

// Reconciler keeps the managed targets equal to the wanted ones. It has no
// goroutine: its owner passes it the manager's signals and replies, and no method
// blocks.
type Reconciler struct {
	manager  Manager
	patterns []string // of targets that become managed when they appear
	now      func() time.Time
	clocks   Clocks
	log      *slog.Logger
	handOver func(take func() Moved) // to the owner's goroutine
	done     <-chan struct{}

	units   []*unit // in the order in which they are corrected
	owner   string  // the manager's unique name; "" while there is none
	listed  bool    // whether this owner has reported the units' states
	listing int     // number of the latest reading; older ones are void
	told    int     // number of the latest reading that was answered
	toldAt  dbus.Sequence
	backoff time.Duration
	exiting bool // whether the manager has begun to exit

	recentJobs []recentJob
	followers  map[dbus.ObjectPath]*follower // services that start with yielding targets
	waiting    *waiting                      // for jobs to finish, or nil
	moved      Moved                         // since it was last returned

	absenceLogged  bool
	nonsenseLogged bool // of this owner
}

// Managed says which targets to manage.
type Managed interface {
	// Targets are names.
	Targets() []string
	// Patterns match the names of further targets, as in glob(7). These become
	// managed once the manager has loaded them or they are wanted.
	Patterns() []string
	// Yielding are groups of the Targets. If something else starts one of a group,
	// the others give way. Each target comes with the names of others that start it.
	Yielding() []map[string][]string
}

// Moved is what something else has done to the managed targets.
type Moved struct {
	// Yielding reports whether a yielding target has moved.
	Yielding bool
	// Done are yielding targets that are active although the services that they
	// want have done their work.
	Done []string
	// Unused are targets that are active although nothing that they want has run, as
	// [Reconciler.FindUnused] has found.
	Unused []string
	// Strays are active targets about which [Reconciler.Want] has not decided.
	// Something else may have started them.
	Strays []string
}

// New returns a reconciler, which reads the time from now and measures start
// limits with one of the clocks. It does nothing until its owner passes it the
// manager's first signal. Until the context ends it posts the manager's replies,
// for the owner's goroutine to take.
func New(ctx context.Context, manager Manager, managed Managed, post func(take func() Moved), now func() time.Time, clocks Clocks, log *slog.Logger) *Reconciler {
	r := &Reconciler{manager: manager, patterns: managed.Patterns(), handOver: post, now: now, clocks: clocks, log: log, done: ctx.Done(), backoff: firstRetry, followers: map[dbus.ObjectPath]*follower{}}
	if len(r.patterns) > 0 {
		manager.Listen(newUnits)
	}
	for _, name := range managed.Targets() {
		r.manage(name)
	}
	for _, group := range managed.Yielding() {
		r.yieldToEachOther(group)
	}
	return r
}

// Listed reports whether the states of the targets are known, or cannot be known
// because there is no user manager.
func (r *Reconciler) Listed() bool {
	return r.listed || r.absenceLogged
}

// Active returns the managed targets that are active.
func (r *Reconciler) Active() []string {
	var active []string
	for _, u := range r.units {
		if u.isActive() {
			active = append(active, u.name)
		}
	}
	return active
}

// Want says which targets are to be active and which are not. Targets that it
// does not name stay as they were wanted before. Differences become jobs at
// once.
func (r *Reconciler) Want(wanted map[string]bool) {
	isNew := false
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		u := r.unit(name)
		if u == nil && wanted[name] {
			u, isNew = r.manage(name), true
		}
		if u == nil {
			continue
		}
		if !u.decided || u.wanted != wanted[name] {
			u.decided, u.wanted, u.settled = true, wanted[name], false
			u.stopReviving()
		}
		u.giveAnotherChance()
	}
	if isNew && r.owner != "" {
		r.list()
	}
	r.reconcile()
}

// StartAgain starts managed targets even if they are active or about to be. The
// manager then starts the inactive units that they want.
func (r *Reconciler) StartAgain(targets []string) {
	for _, name := range targets {
		u := r.unit(name)
		if u == nil || !r.listed || r.exiting {
			continue
		}
		u.decided, u.wanted, u.settled = true, true, false
		u.giveAnotherChance()
		r.ask(u, start)
	}
}

// IsReread reports whether the user manager, if there is one, has answered the
// latest reading.
func (r *Reconciler) IsReread() bool { return r.owner == "" || r.told == r.listing }

// Progress reports whether jobs for a set of targets are unfinished. If not, it
// returns why one of the targets could not be moved.
func (r *Reconciler) Progress(targets map[string]bool) (pending bool, problem string) {
	switch {
	case r.exiting:
		return false, "the user manager does not let its jobs be replaced"
	case r.absenceLogged:
		return false, "there is no user manager"
	}
	for _, u := range r.units {
		want, asked := targets[u.name]
		if !asked || u.wanted != want {
			continue
		}
		switch {
		case u.refused != "":
			problem = u.name + ": " + u.refused
		case u.gaveUp:
			problem = u.name + ": something else keeps moving it"
		case !r.listed || u.load == "" || u.job != nil || u.isQueued() || u.isActive() != want:
			pending = true
		}
	}
	return pending, problem
}

// Reread reads the states of all targets again, and retries what was given up.
func (r *Reconciler) Reread() {
	for _, u := range r.units {
		u.giveAnotherChance()
	}
	if r.owner != "" {
		r.list()
	}
}

// reconcile requests the missing jobs. It stops targets that must not be active
// first, in case two of them lack the Conflicts= that they should have. If they
// are known to conflict, the start of one stops the other.
func (r *Reconciler) reconcile() {
	if !r.listed || r.exiting {
		return
	}
	for _, u := range r.units {
		// A settled target's job is somebody else's, and may be a stop.
		if u.isDecided() && !u.wanted && u.mayBecomeActive() && (u.isActive() || !u.settled) {
			r.putRight(u, stop)
		}
	}
	for _, u := range r.units {
		if u.needsStart() {
			r.putRight(u, start)
		}
	}
	for _, u := range r.units {
		if u.isDecided() && !u.settled && u.job == nil && u.overtaken == nil && !u.isQueued() && u.isActive() == u.wanted {
			u.settled = true
			if u.wanted {
				r.reviveLater(u)
			}
		}
	}
}

// isStoppedByAStart reports whether a target conflicts with one that is being
// started, or is about to be.
func (r *Reconciler) isStoppedByAStart(u *unit) bool {
	return slices.ContainsFunc(r.units, func(other *unit) bool {
		return (other.isStarting() || other.needsStart()) && slices.Contains(other.conflicts, u.name)
	})
}

func (r *Reconciler) putRight(u *unit, verb string) {
	if u.gaveUp || u.refused != "" {
		return
	}
	correction := ""
	if u.settled {
		if u.yields() && r.yield(u) || !r.correct(u) {
			return
		}
		moved := "stopped"
		if verb == stop {
			moved = "started"
		}
		correction = "something else has " + moved + " " + u.name + "; putting it right"
	}
	if verb == stop && r.isStoppedByAStart(u) {
		if u.isStarting() {
			u.overtaken = u.job
		}
		u.job, u.displaced = nil, true
		r.logCorrection(u, correction)
		return
	}
	r.ask(u, verb)
	u.job.correction = correction
}

func (r *Reconciler) logCorrection(u *unit, correction string) {
	if correction != "" {
		r.log.Info(correction, "target", u.name)
	}
}

// correct notes that something else has moved a settled target, and reports
// whether to move it back.
func (r *Reconciler) correct(u *unit) bool {
	now := r.now()
	u.corrections = slices.DeleteFunc(u.corrections, func(t time.Time) bool { return now.Sub(t) > fightWindow })
	if len(u.corrections) >= fightCorrections {
		r.pauseFight(u)
		r.log.Warn(fmt.Sprintf("something else keeps moving %s; trying again in %v", u.name, u.pause),
			"target", u.name, "corrections", len(u.corrections), "next", "systemctl --user list-dependencies --reverse "+Operands(u.name))
		r.reconcile() // the start of this target would have stopped others
		return false
	}
	u.corrections = append(u.corrections, now)
	u.settled = false
	return true
}

// pauseFight leaves a target alone for a while, longer if the last pause has ended
// lately.
func (r *Reconciler) pauseFight(u *unit) {
	if u.pause == 0 || r.now().Sub(u.pauseEnd) > longestPause {
		u.pause = firstPause
	} else {
		u.pause = min(2*u.pause, longestPause)
	}
	u.gaveUp, u.pauseEnd = true, r.now().Add(u.pause)
	end := u.pauseEnd
	u.stopPause = r.clocks.Monotonic.AfterFunc(u.pause, func() {
		r.post(func() {
			if u.gaveUp && u.pauseEnd.Equal(end) {
				u.gaveUp, u.corrections = false, nil
				r.reconcile()
			}
		})
	})
}
