// Package systemdctl makes the user manager's targets equal the wanted ones,
// and installs the units that this takes.
package systemdctl

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// ManagerName is the user manager's name on the session bus
	// (https://www.freedesktop.org/wiki/Software/systemd/dbus).
	ManagerName = "org.freedesktop.systemd1"

	managerPath         = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerInterface    = ManagerName + ".Manager"
	unitInterface       = ManagerName + ".Unit"
	propertiesInterface = "org.freedesktop.DBus.Properties"

	// Something else may start or stop a target this often within
	// fightWindow, and is put right; then it is let be until the facts change.
	fightCorrections = 5
	fightWindow      = 10 * time.Second
)

// Manager is the followed user manager, handed in by main.
type Manager interface {
	// Signals delivers in order what the manager signals, and each change of
	// owner as a NameOwnerChanged signal; the first to arrive is one. One that
	// names the present owner again says that signals were lost.
	Signals() <-chan *dbus.Signal
	// Go sends a method call without waiting for the answer; calls arrive in
	// the order in which they were made.
	Go(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call
	// Listen asks the bus for the signals that a match rule describes until
	// stop is called. Calls made after it are answered after the bus has taken
	// the rule.
	Listen(rule string) (stop func())
}

// Reconciler keeps the managed targets equal to the wanted ones. It has no
// goroutine of its own: whoever owns it passes it the manager's signals and
// replies, and no method blocks.
type Reconciler struct {
	manager  Manager
	patterns []string // of targets that come to be managed
	clocks   Clocks
	log      *slog.Logger
	replies  chan func()
	done     <-chan struct{}

	units      []*unit // in the order in which they are put right
	owner      string  // the manager's unique name; "" while there is none
	listed     bool    // whether the units' states have been read since it has
	listing    int     // number of the latest reading; older ones are void
	backoff    time.Duration
	leaving    bool       // whether the manager has begun to exit
	announced  bool       // whether its absence has been logged
	given      []givenJob // the jobs that we were lately given
	waiting    *waiting   // for jobs to finish, or nil
	complained bool       // whether a signal of it that made no sense has been logged
	yielded    bool       // whether something else has moved a target that yields
	strays     []string   // targets found active of which nothing was said
}

// unit is what is known of one managed target.
type unit struct {
	name    string
	path    dbus.ObjectPath
	yields  bool     // whether it stays where something else moves it
	unheard []func() // end its match rules

	load, active string          // "" until the manager has told
	queued       dbus.ObjectPath // the manager's job for it, anyone's; "" where there is none
	sequence     dbus.Sequence   // of the message that said so

	managed bool // whether it is known whether the target is wanted
	wanted  bool
	settled bool        // whether it has been as wanted since it last became so
	job     *job        // ours, until its end is known
	refused string      // why starting or stopping it is not tried again
	fixes   []time.Time // when it was put right after something else moved it
	truce   bool        // whether that happened too often

	activation int      // counts how often it has settled
	reviving   []func() // end the waits until services that it wants may start again

	// conflicts are the units that its start stops; nil until the manager has
	// told.
	conflicts []string
}

// Managed says which targets are to be managed.
type Managed struct {
	// Targets are names.
	Targets []string
	// Patterns match the names of further targets, as glob(7) has it, which
	// come to be managed once the manager has loaded them or they are wanted.
	Patterns []string
	// Yielding are those of Targets that are not moved back where something
	// else moves them.
	Yielding []string
}

// New returns a reconciler. It does nothing until its owner passes it the
// manager's first signal. Answers are passed on until the context ends.
func New(ctx context.Context, manager Manager, managed Managed, clocks Clocks, log *slog.Logger) *Reconciler {
	r := &Reconciler{manager: manager, patterns: managed.Patterns, clocks: clocks, log: log, replies: make(chan func()), done: ctx.Done(), backoff: firstRetry}
	if len(managed.Patterns) > 0 {
		manager.Listen(newUnits)
	}
	for _, name := range managed.Targets {
		r.manage(name).yields = slices.Contains(managed.Yielding, name)
	}
	return r
}

// Signals is where the manager's signals arrive; each is to be passed to
// [Reconciler.Signal].
func (r *Reconciler) Signals() <-chan *dbus.Signal {
	return r.manager.Signals()
}

// Replies is where the manager's answers arrive; calling one takes it in.
func (r *Reconciler) Replies() <-chan func() {
	return r.replies
}

// Listed tells whether the states of the targets are known, or cannot be
// because there is no user manager.
func (r *Reconciler) Listed() bool {
	return r.listed || r.announced
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

// Yielded tells, once, that something else has moved a target that yields.
func (r *Reconciler) Yielded() bool {
	yielded := r.yielded
	r.yielded = false
	return yielded
}

// Strays returns, once, the targets that are active and of which [Reconciler.Want]
// has not said whether they are to be: something else may have started them.
func (r *Reconciler) Strays() []string {
	strays := r.strays
	r.strays = nil
	return slices.DeleteFunc(strays, func(name string) bool {
		u := r.unit(name)
		return u == nil || u.managed
	})
}

// Want says which targets are to be active and which are not; those it does
// not name keep what was last said of them. Differences become jobs at once.
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
		if !u.managed || u.wanted != wanted[name] {
			u.managed, u.wanted, u.settled = true, wanted[name], false
			u.stopReviving()
		}
		u.giveAnotherChance()
	}
	if isNew && r.owner != "" {
		r.list()
	}
	r.reconcile()
}

// Again starts managed targets, also those that are active or about to be: their
// start has the manager start what they want and what is not active.
func (r *Reconciler) Again(targets []string) {
	for _, name := range targets {
		u := r.unit(name)
		if u == nil || !r.listed || r.leaving {
			continue
		}
		u.managed, u.wanted, u.settled = true, true, false
		u.giveAnotherChance()
		r.ask(u, start)
	}
}

// manage begins to manage one more target.
func (r *Reconciler) manage(name string) *unit {
	u := &unit{name: name, path: unitPath(name)}
	r.units = append(r.units, u)
	for _, rule := range rules(name) {
		u.unheard = append(u.unheard, r.manager.Listen(rule))
	}
	return u
}

// forget ends the managing of a target.
func (r *Reconciler) forget(u *unit) {
	u.stopReviving()
	for _, stop := range u.unheard {
		stop()
	}
	r.units = slices.DeleteFunc(r.units, func(other *unit) bool { return other == u })
}

// Progress tells of a set of targets whether their jobs are still on the way,
// and otherwise why one of them could not be had.
func (r *Reconciler) Progress(targets map[string]bool) (pending bool, problem string) {
	switch {
	case r.leaving:
		return false, "the user manager does not let its jobs be replaced"
	case r.announced:
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
		case u.truce:
			problem = u.name + ": something else keeps moving it"
		case !r.listed || u.load == "" || u.job != nil || u.isQueued() || u.isActive() != want:
			pending = true
		}
	}
	return pending, problem
}

// Reread reads the states of all targets anew, and tries again what was given
// up.
func (r *Reconciler) Reread() {
	for _, u := range r.units {
		u.giveAnotherChance()
	}
	if r.owner != "" {
		r.list()
	}
}

func (u *unit) giveAnotherChance() {
	u.refused, u.truce, u.fixes = "", false, nil
}

// isManaged tells whether it is known whether the target is wanted, and how it
// is.
func (u *unit) isManaged() bool { return u.managed && u.load != "" }

func (u *unit) isActive() bool { return u.active == "active" }

func (u *unit) isQueued() bool { return u.queued != "" }

// isToStart tells whether a start job is missing.
func (u *unit) isToStart() bool {
	return u.isManaged() && u.wanted && !u.mayBecomeActive() && !u.truce && u.refused == ""
}

// isStarting tells whether a start job of ours is on the way.
func (u *unit) isStarting() bool { return u.job != nil && u.job.verb == start }

// isStopping tells whether a stop job of ours is on the way.
func (u *unit) isStopping() bool { return u.job != nil && u.job.verb == stop }

// mayBecomeActive tells whether a unit is active or on its way to be. An
// inactive target with a job is on its way up, held back by what it wants:
// asking again for it would run that again.
func (u *unit) mayBecomeActive() bool {
	if u.job != nil {
		return u.job.verb == start
	}
	return u.isActive() || u.isQueued()
}

func (r *Reconciler) unit(name string) *unit {
	for _, u := range r.units {
		if u.name == name {
			return u
		}
	}
	return nil
}

// reconcile asks for the jobs that are missing. What must not be active is
// stopped first, in case two targets do not carry the Conflicts= they should;
// where they are known to, the start of the one stops the other.
func (r *Reconciler) reconcile() {
	if !r.listed || r.leaving {
		return
	}
	for _, u := range r.units {
		// A job that something else has for a settled target may be a stop.
		if u.isManaged() && !u.wanted && u.mayBecomeActive() && (u.isActive() || !u.settled) {
			r.putRight(u, stop)
		}
	}
	for _, u := range r.units {
		if u.isToStart() {
			r.putRight(u, start)
		}
	}
	for _, u := range r.units {
		if u.isManaged() && !u.settled && u.job == nil && !u.isQueued() && u.isActive() == u.wanted {
			u.settled = true
			if u.wanted {
				r.reviveLater(u)
			}
		}
	}
}

// isStoppedByAStart tells whether a target conflicts with one that is being
// started, or is to be.
func (r *Reconciler) isStoppedByAStart(u *unit) bool {
	return slices.ContainsFunc(r.units, func(other *unit) bool {
		return (other.isStarting() || other.isToStart()) && slices.Contains(other.conflicts, u.name)
	})
}

func (r *Reconciler) putRight(u *unit, verb string) {
	if u.truce || u.refused != "" {
		return
	}
	if u.settled && !r.correct(u) {
		return
	}
	if verb == stop && r.isStoppedByAStart(u) {
		u.job = nil // ours to start it, if there is one, is canceled
		return
	}
	r.ask(u, verb)
}

// correct notes that something else has moved a settled target, and tells
// whether to move it back.
func (r *Reconciler) correct(u *unit) bool {
	if u.yields {
		u.wanted, r.yielded = u.isActive(), true
		return false
	}
	moved, now := "started", time.Now()
	if u.wanted {
		moved = "stopped"
	}
	u.fixes = slices.DeleteFunc(u.fixes, func(t time.Time) bool { return now.Sub(t) > fightWindow })
	if len(u.fixes) >= fightCorrections {
		u.truce = true
		r.log.Warn("something else keeps moving "+u.name+"; leaving it alone until the next change of fact",
			"target", u.name, "corrections", len(u.fixes), "next", "systemctl --user list-dependencies --reverse "+u.name)
		r.reconcile() // what its start would have stopped
		return false
	}
	u.fixes = append(u.fixes, now)
	u.settled = false
	r.log.Info("something else has "+moved+" "+u.name+"; putting it right", "target", u.name)
	return true
}
