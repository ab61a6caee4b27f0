package systemdctl

import (
	"slices"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// follower is a service that starts with a yielding target, such as a screen locker.
type follower struct {
	name    string
	targets []*unit // that want it
	// beside are targets that do not want it, although one of their starters does.
	beside []*unit
	active string // its ActiveState; "" until the manager has told
	// isStopped reports whether a job has ended it, or is about to.
	isStopped bool
	// isEnding reports whether it is ending, or has ended, by itself, while the outcome is
	// not known yet.
	isEnding  bool
	isOneshot bool
	// hasLastWords reports whether it runs something after a crash.
	hasLastWords bool
	result       string // its Result, as far as the manager has reported it
	// isCrashing reports whether it is ending after a crash. crashed is when that last
	// happened.
	isCrashing bool
	crashed    time.Time
	stop       func() // ends the match rule
}

// crashTime is how long after the end of a crashed service its last signals may still
// arrive: those of its OnFailure= units, and those that take a while from bus to bus.
const crashTime = 2 * time.Second

// Crashed returns the name of a service that starts with one of some targets and crashes,
// or has just crashed; "" if there is none. The crash lasts until the service's
// ExecStopPost= has ended, because that may send signals for the service, and systemd also
// runs it after a crash. The manager reports the crash before these signals.
func (r *Reconciler) Crashed(targets []string) string {
	for _, f := range r.followers {
		if f.mayUnlock(targets) && (f.isCrashing || r.now().Sub(f.crashed) < crashTime) {
			return f.name
		}
	}
	return ""
}

// mayUnlock reports whether a crash of the service may cause signals that look like the end
// of one of some targets. If only a starter wants the service, a oneshot is not a locker
// but work that the starter waits for, and a service that runs nothing after a crash causes
// no signals.
func (f *follower) mayUnlock(targets []string) bool {
	isOne := func(u *unit) bool { return slices.Contains(targets, u.name) }
	mayBeALocker := !f.isOneshot && f.hasLastWords
	return slices.ContainsFunc(f.targets, isOne) || mayBeALocker && slices.ContainsFunc(f.beside, isOne)
}

// AwaitAnswer calls done, on the owner's goroutine, once the manager has answered a
// question, or cannot answer. By then, its earlier signals have arrived at Signals.
func (r *Reconciler) AwaitAnswer(done func()) {
	r.call("org.freedesktop.DBus.Peer.Ping", func(*dbus.Call) { done() })
}

// isRunning reports whether a service in an ActiveState runs.
func isRunning(active string) bool {
	return slices.Contains([]string{"activating", "active", "reloading", "deactivating", "refreshing", "maintenance"}, active)
}

// askQueued asks which services have a job, such as a start that waits for that of another
// unit. systemd signals a unit's job only together with a change of the unit's state.
func (r *Reconciler) askQueued(services []string, take func(queued []string, err error)) {
	if len(services) == 0 {
		take(nil, nil)
		return
	}
	r.call(managerInterface+".ListUnitsByNames", func(call *dbus.Call) {
		var listed []systemd.UnitStatus
		err := call.Store(&listed)
		var queued []string
		for _, status := range listed {
			if status.JobId != 0 {
				queued = append(queued, status.Name)
			}
		}
		take(queued, err)
	}, services)
}

// hasDied reports whether the service has been killed, and does not run again. A helper that
// fails, such as one that finds nothing to do, exits with a status instead.
func (f *follower) hasDied() bool {
	return f.active == "failed" && slices.Contains([]string{"signal", "core-dump", "watchdog", "oom-kill"}, f.result)
}

// isServiceEnding reports whether a service that a target wants is ending by itself.
func (r *Reconciler) isServiceEnding(u *unit) bool {
	for _, f := range r.followers {
		if f.isEnding && slices.Contains(f.targets, u) {
			return true
		}
	}
	return false
}

// followServices follows the services that start with a target, to learn how they end.
func (r *Reconciler) followServices(u *unit) {
	u.followings++
	following := u.followings
	r.askWanted([]string{u.name}, []string{u.name}, func(names []string) {
		r.askWanted(u.starters, names, func(all []string) {
			if following == u.followings { // a newer question knows better, and may have had fewer targets to ask
				r.follow(u, names, all[len(names):])
			}
		})
	})
}

// follow follows the services among the units that a target wants and among those that
// only its starters want.
func (r *Reconciler) follow(u *unit, wanted, beside []string) {
	isSame := func(target *unit) bool { return target == u }
	for _, f := range r.followers {
		f.targets, f.beside = slices.DeleteFunc(f.targets, isSame), slices.DeleteFunc(f.beside, isSame)
	}
	for i, name := range slices.Concat(wanted, beside) {
		if !strings.HasSuffix(name, ".service") {
			continue
		}
		path := unitPath(name)
		f := r.followers[path]
		if f == nil {
			f = &follower{name: name, stop: r.manager.Listen(changes(name))}
			r.followers[path] = f
		}
		if i < len(wanted) {
			f.targets = append(f.targets, u)
		} else {
			f.beside = append(f.beside, u)
		}
		r.readFollower(path)
	}
	for path, f := range r.followers {
		if len(f.targets)+len(f.beside) == 0 {
			f.stop()
			delete(r.followers, path)
		}
	}
}

// readFollower reads a service whose state is not known yet.
func (r *Reconciler) readFollower(path dbus.ObjectPath) {
	r.askFollower(path, func(f *follower, all properties) {
		if f.active == "" {
			f.active = all.text("ActiveState")
			f.isStopped = hasJob(all) || f.active == "deactivating"
			f.result = all.text("Result")
		}
		f.isOneshot, f.hasLastWords = all.text("Type") == "oneshot", runsAfterACrash(all)
	})
}

// rereadFollowers reads all services again, because signals were lost. A service that is
// ending or has ended since may have been stopped.
func (r *Reconciler) rereadFollowers() {
	for path, f := range r.followers {
		f.active, f.isStopped, f.isEnding, f.isCrashing = "", false, false, false
		r.readFollower(path)
	}
}

// askAgain repeats the questions that a manager may not have answered, or may answer
// differently since a reload. A service may start and end before its target is known to be
// active, so it is followed from the beginning.
func (r *Reconciler) askAgain(u *unit) {
	if u.yields() {
		r.followServices(u)
	}
	if u.maybeUnused {
		r.search(u)
	}
}

// askWanted asks what targets want, directly or through targets of the user. A manager
// that does not answer is asked again once it has listed the targets.
func (r *Reconciler) askWanted(targets, found []string, take func(names []string)) {
	if len(targets) == 0 {
		take(found)
		return
	}
	r.callAt(unitPath(targets[0]), propertiesInterface+".GetAll", func(call *dbus.Call) {
		all, err := allProperties(call)
		if err != nil {
			return
		}
		rest := slices.Clone(targets[1:])
		for _, name := range wanted(all) {
			if slices.Contains(found, name) {
				continue
			}
			found = append(found, name)
			if strings.HasSuffix(name, ".target") {
				rest = append(rest, name)
			}
		}
		r.askWanted(rest, found, take)
	}, unitInterface)
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
	upholds, _, _ := property[[]string](of, "Upholds")
	return slices.Concat(wants, requires, upholds)
}

func (r *Reconciler) askFollower(path dbus.ObjectPath, take func(f *follower, all properties)) {
	r.callAt(path, propertiesInterface+".GetAll", func(call *dbus.Call) {
		all, _ := allProperties(call) // a manager that does not answer is reloading or exiting
		if f := r.followers[path]; f != nil {
			take(f, all)
		}
	}, "") // of all interfaces
}

// followerChanged handles the new state of a service that a target wants, as a signal
// reported it. A service that has ended by itself and successfully has done its work. A
// service that a job has stopped, or that has crashed, has not. A job that comes while the
// service ends has not ended it.
func (r *Reconciler) followerChanged(path dbus.ObjectPath, f *follower, changed properties, sequence dbus.Sequence) {
	was := f.active
	if active := changed.text("ActiveState"); active != "" {
		f.active = active
	}
	if result := changed.text("Result"); result != "" {
		f.result = result
	}
	switch {
	case f.endsBadly(was):
		f.isCrashing, f.crashed = f.active == "deactivating", r.now()
	case f.active != "deactivating":
		f.isCrashing = false
	}
	if !slices.Contains([]string{"inactive", "failed", "activating", "deactivating"}, was) {
		f.isStopped = f.isStopped || hasJob(changed)
	}
	isOver := f.active == "inactive" || f.active == "failed"
	switch {
	case f.active == "activating", f.active == "active" && was != "active":
		f.isStopped, f.isEnding = false, false
	case was == "", was == f.active, f.isStopped, f.isOneshot, len(f.targets) == 0: // its good end says nothing
	case f.active == "deactivating":
		f.isEnding = true
	case isOver:
		f.isEnding = true
		r.askFollower(path, func(f *follower, all properties) { r.endedByItself(f, all, sequence) })
	}
}

// endsBadly reports whether the service has begun to fail by itself, or has failed, since
// it was in a state. A service whose targets are no longer wanted is being stopped.
func (f *follower) endsBadly(was string) bool {
	isNoFailure := slices.Contains([]string{"", "success", "exec-condition"}, f.result)
	isEnding := f.active != was && f.active != "active" && !slices.Contains([]string{"", "inactive", "failed"}, was)
	return isEnding && !isNoFailure && !f.isStopped && slices.ContainsFunc(slices.Concat(f.targets, f.beside), func(u *unit) bool { return u.wanted })
}

// endedByItself handles a service that has ended by itself.
func (r *Reconciler) endedByItself(f *follower, all properties, sequence dbus.Sequence) {
	if all.text("Result") != "success" || all.text("ActiveState") != "inactive" || hasJob(all) {
		r.judged(f)
		return
	}
	r.askQueued(r.besides(f), func(queued []string, err error) {
		if err == nil {
			r.endedWell(f, all, queued, sequence)
		}
		r.judged(f)
	})
}

// judged goes on after it is known how a service has ended.
func (r *Reconciler) judged(f *follower) {
	f.isEnding = false
	r.reconcile()
}

// besides returns the names of the other services that start with a target of a service and
// may be lockers.
func (r *Reconciler) besides(f *follower) (others []string) {
	isTheirs := func(u *unit) bool { return slices.Contains(f.targets, u) }
	for _, other := range r.followers {
		if other != f && !other.isOneshot && slices.ContainsFunc(other.targets, isTheirs) {
			others = append(others, other.name)
		}
	}
	return others
}

// endedWell handles a service that, according to systemd, has ended successfully by
// itself, while others have a job.
func (r *Reconciler) endedWell(f *follower, all properties, queued []string, sequence dbus.Sequence) {
	for _, u := range f.targets {
		switch {
		case !u.wanted || u.wasStartedAfter(sequence):
		case isMainUnknown(all):
			r.log.Warn("systemd does not know the main process of "+f.name+", so a crash would look like this end; "+u.name+" stays",
				"unit", f.name, "target", u.name, "next", "man nm-session-bridge.targets")
		default:
			r.hasDoneItsWork(u, queued)
		}
	}
}

// isMainUnknown reports whether systemd never knew the main process of a service that
// forks. It guesses the main process only if one process is left (GuessMainPID=,
// systemd.service(5)). If there are several, it takes every end for a success.
func isMainUnknown(of properties) bool {
	pid, told, _ := property[uint32](of, "ExecMainPID")
	return of.text("Type") == "forking" && told && pid == 0
}

// runsAfterACrash reports whether a service runs something after a crash, according to its
// properties. systemd runs ExecStop= if the main process has ended well, but not if it has
// crashed (service_enter_running in systemd's src/core/service.c).
func runsAfterACrash(of properties) bool {
	stopPost, _, _ := property[[][]any](of, "ExecStopPost")
	onFailure, _, _ := property[[]string](of, "OnFailure")
	return len(stopPost)+len(onFailure) > 0
}

// hasJob reports whether a unit has a job, according to its properties.
func hasJob(of properties) bool {
	job, _, _ := property[[]any](of, "Job")
	id, _, err := idAndPath(job)
	return err == nil && id != 0
}

// wasStartedAfter reports whether the manager has accepted, or is about to accept, a start
// of ours after it sent a message.
func (u *unit) wasStartedAfter(sequence dbus.Sequence) bool {
	return u.isStarting() && (u.job.path == "" || u.job.answered > sequence)
}

// hasDoneItsWork notes that the services that a target wants have done their work, even if
// they crashed before, unless one of them runs or has a job, or has died at it.
func (r *Reconciler) hasDoneItsWork(u *unit, queued []string) {
	for _, f := range r.followers {
		switch {
		case !slices.Contains(f.targets, u), f.isOneshot:
		case isRunning(f.active), slices.Contains(queued, f.name):
			return
		case f.hasDied():
			r.log.Warn(f.name+" was killed ("+f.result+"), so "+u.name+" stays, although another of its services has ended well",
				"unit", f.name, "target", u.name, "next", "man nm-session-bridge.targets")
			return
		}
	}
	for _, f := range r.followers {
		if slices.Contains(f.targets, u) {
			f.crashed = time.Time{} // a signal that is still to come is that of the good end
		}
	}
	if u.wanted && !slices.Contains(r.moved.Done, u.name) {
		r.moved.Done = append(r.moved.Done, u.name)
	}
}

// FindUnused finds those of the managed targets that are active or about to be, although
// nothing that they want has run. [Moved] names them.
func (r *Reconciler) FindUnused(targets []string) {
	for _, name := range targets {
		if u := r.unit(name); u != nil {
			u.maybeUnused = true
			r.search(u)
		}
	}
}

// search looks for a unit that a target wants and that has run. It begins once the target
// is active. A start or stop of ours ends it without a result.
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

// findRun looks for one of the units that has run or is about to run. A unit that was
// never started since it was loaded has never left the inactive state
// (InactiveExitTimestamp, org.freedesktop.systemd1(5)).
func (r *Reconciler) findRun(u *unit, search int, names []string) {
	switch {
	case search != u.searches || !u.maybeUnused:
		return
	case len(names) == 0:
		u.maybeUnused = false
		if u.wanted && !slices.Contains(r.moved.Unused, u.name) {
			r.moved.Unused = append(r.moved.Unused, u.name)
		}
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
