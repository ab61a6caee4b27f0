package systemdctl

import (
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

// follower is a service that a yielding target wants, such as a screen locker.
type follower struct {
	name   string
	target *unit
	active string // its ActiveState; "" until the manager has told
	// isStopped says that a job has ended it, or is about to.
	isStopped bool
	// isEnding says that it ends, or has ended, by itself, and that it is not known yet how.
	isEnding  bool
	isOneshot bool
	stop      func() // ends the match rule
}

// isUp reports whether the service runs, or is about to.
func (f *follower) isUp() bool {
	return !f.isOneshot && slices.Contains([]string{"activating", "active", "reloading", "deactivating", "refreshing", "maintenance"}, f.active)
}

// isServiceEnding reports whether a service that a target wants is ending by itself.
func (r *Reconciler) isServiceEnding(u *unit) bool {
	for _, f := range r.followers {
		if f.target == u && f.isEnding {
			return true
		}
	}
	return false
}

// followServices follows the services that a target wants, to learn how they end.
func (r *Reconciler) followServices(u *unit) {
	r.askTarget(u, func(all properties) {
		for _, name := range wanted(all) {
			if !strings.HasSuffix(name, ".service") {
				continue
			}
			path := unitPath(name)
			if r.followers[path] == nil {
				r.followers[path] = &follower{name: name, target: u, stop: r.manager.Listen(rules(name)[0])}
			}
			r.readFollower(path)
		}
	})
}

// readFollower reads a service whose state is not known yet.
func (r *Reconciler) readFollower(path dbus.ObjectPath) {
	r.askFollower(path, func(f *follower, all properties) {
		if f.active == "" {
			f.active = all.text("ActiveState")
			f.isStopped = hasJob(all) || f.active == "deactivating"
		}
		f.isOneshot = all.text("Type") == "oneshot"
	})
}

// rereadFollowers reads all services again, because signals were lost. One that is
// ending, or has ended meanwhile, may have been stopped.
func (r *Reconciler) rereadFollowers() {
	for path, f := range r.followers {
		f.active, f.isStopped, f.isEnding = "", false, false
		r.readFollower(path)
	}
}

// askAgain asks again what a manager may not have answered, or may answer otherwise
// since a reload.
func (r *Reconciler) askAgain(u *unit) {
	if u.yields() && u.isActive() && u.settled && u.wanted {
		r.followServices(u)
	}
	if u.maybeUnused {
		r.search(u)
	}
}

// askTarget asks about a target. A manager that does not answer is asked again once
// it has listed the targets.
func (r *Reconciler) askTarget(u *unit, take func(all properties)) {
	r.callAt(u.path, propertiesInterface+".GetAll", func(call *dbus.Call) {
		if all, err := allProperties(call); err == nil {
			take(all)
		}
	}, unitInterface)
}

// wanted returns what a target wants, according to its properties.
func wanted(of properties) []string {
	wants, _, _ := property[[]string](of, "Wants")
	requires, _, _ := property[[]string](of, "Requires")
	return slices.Concat(wants, requires)
}

func (r *Reconciler) askFollower(path dbus.ObjectPath, take func(f *follower, all properties)) {
	r.callAt(path, propertiesInterface+".GetAll", func(call *dbus.Call) {
		all, _ := allProperties(call) // a manager that does not answer is reloading or exiting
		if f := r.followers[path]; f != nil {
			take(f, all)
		}
	}, "") // of all interfaces
}

// followerChanged takes the new state of a service that a target wants, as a signal
// said it. One that has ended by itself, and well, has done its work. One that a job
// has stopped, or that has crashed, has not. A job that comes while it ends has not
// ended it.
func (r *Reconciler) followerChanged(path dbus.ObjectPath, f *follower, changed properties, sequence dbus.Sequence) {
	was := f.active
	if active := changed.text("ActiveState"); active != "" {
		f.active = active
	}
	if !slices.Contains([]string{"inactive", "failed", "activating", "deactivating"}, was) {
		f.isStopped = f.isStopped || hasJob(changed)
	}
	isOver := f.active == "inactive" || f.active == "failed"
	switch {
	case f.active == "activating", f.active == "active" && was != "active":
		f.isStopped, f.isEnding = false, false
	case was == "", was == f.active, f.isStopped, f.isOneshot:
	case f.active == "deactivating":
		f.isEnding = true
	case isOver:
		f.isEnding = true
		r.askFollower(path, func(f *follower, all properties) {
			f.isEnding = false
			if all.text("Result") == "success" && all.text("ActiveState") == "inactive" && !hasJob(all) && !f.target.wasStartedAfter(sequence) {
				r.hasDoneItsWork(f.target)
			}
			r.reconcile()
		})
	}
}

// hasJob reports whether a unit has a job, according to its properties.
func hasJob(of properties) bool {
	job, _, _ := property[[]any](of, "Job")
	id, _, err := idAndPath(job)
	return err == nil && id != 0
}

// wasStartedAfter reports whether the manager has taken, or is about to take, a start
// of ours after it sent a message.
func (u *unit) wasStartedAfter(sequence dbus.Sequence) bool {
	return u.isStarting() && (u.job.path == "" || u.job.answered > sequence)
}

// hasDoneItsWork notes that the services that a target wants have done their work,
// unless one of them runs.
func (r *Reconciler) hasDoneItsWork(u *unit) {
	for _, f := range r.followers {
		if f.target == u && f.isUp() {
			return
		}
	}
	if u.wanted && !slices.Contains(r.moved.Done, u.name) {
		r.moved.Done = append(r.moved.Done, u.name)
	}
}

// FindUnused finds those of managed targets that are active, or about to be, though
// nothing that they want has run. [Moved] tells which.
func (r *Reconciler) FindUnused(targets []string) {
	for _, name := range targets {
		if u := r.unit(name); u != nil {
			u.maybeUnused = true
			r.search(u)
		}
	}
}

// search looks for a unit that a target wants and that has run. It goes on once the
// target is active. What we start or stop ends it without a result.
func (r *Reconciler) search(u *unit) {
	u.searches++
	search := u.searches
	r.askTarget(u, func(all properties) {
		switch {
		case all.text("ActiveState") == "active":
			r.findRun(u, search, wanted(all))
		case !hasJob(all) && search == u.searches:
			u.maybeUnused = false
		}
	})
}

// findRun looks for one of the units that has run, or is about to. A unit that was
// never started since it was loaded has left the inactive state at no time
// (InactiveExitTimestamp, org.freedesktop.systemd1(5)).
func (r *Reconciler) findRun(u *unit, search int, names []string) {
	switch {
	case search != u.searches || !u.maybeUnused:
		return
	case len(names) == 0:
		u.maybeUnused = false
		r.hasDoneItsWork(u)
		return
	}
	r.callAt(unitPath(names[0]), propertiesInterface+".GetAll", func(call *dbus.Call) {
		all, err := allProperties(call)
		exit, _, _ := property[uint64](all, "InactiveExitTimestampMonotonic")
		switch {
		case err != nil:
		case exit == 0 && !hasJob(all):
			r.findRun(u, search, names[1:])
		case search == u.searches:
			u.maybeUnused = false
		}
	}, unitInterface)
}
