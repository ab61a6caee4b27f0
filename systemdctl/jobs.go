package systemdctl

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	start = "start"
	stop  = "stop"

	// jobMode replaces a job that is still queued for the unit, so that a switch
	// that flips back cancels the job that it no longer needs
	// (org.freedesktop.systemd1(5), StartUnit).
	jobMode = "replace"

	// exitPause is how long the bridge leaves a user manager alone that shuts down. A
	// user manager exits in less time.
	exitPause = 5 * time.Second
)

// job is a job that we asked for.
type job struct {
	verb string
	path dbus.ObjectPath // "" until the manager has answered
	// answered is the sequence number of the answer.
	answered dbus.Sequence
	// ended holds the jobs that ended before the answer said which one is ours.
	ended map[dbus.ObjectPath]ending
	// correction is what to log once the manager has accepted the job. It accepts none
	// while it exits, which stops all targets.
	correction string
}

// isOver reports whether a message that names the present job of the target shows that
// the end of this one was not heard.
func (j *job) isOver(queued dbus.ObjectPath, sequence dbus.Sequence) bool {
	return j != nil && j.path != "" && j.path != queued && j.answered < sequence
}

// ending is how a job ended, what its target was at that moment, and the message that
// said so.
type ending struct {
	result, active string
	sequence       dbus.Sequence
}

// ask requests a job from the manager. A signal announces its end.
func (r *Reconciler) ask(u *unit, verb string) {
	method := managerInterface + ".StartUnit"
	if verb == stop {
		method = managerInterface + ".StopUnit"
	}
	j := &job{verb: verb, ended: map[dbus.ObjectPath]ending{}}
	u.job, u.displaced, u.maybeUnused = j, false, false
	r.call(method, func(call *dbus.Call) {
		switch j {
		case u.job:
			r.takeJob(u, call)
		case u.overtaken:
			r.takeOvertaken(u, call)
		}
		r.checkWaiting()
	}, u.name, jobMode)
	if verb == start && u.conflicts == nil && slices.ContainsFunc(r.units, (*unit).isStopping) {
		r.askConflicts(u)
	}
}

// askConflicts asks which units the start of a target stops, for the next start: the
// property Conflicts (as) of org.freedesktop.systemd1(5).
func (r *Reconciler) askConflicts(u *unit) {
	listing := r.listing
	r.callAt(u.path, propertiesInterface+".Get", func(call *dbus.Call) {
		if call.Err != nil || len(call.Body) != 1 || listing != r.listing {
			return
		}
		told, _ := call.Body[0].(dbus.Variant)
		u.conflicts, _ = told.Value().([]string)
	}, unitInterface, "Conflicts")
}

// takeJob handles the answer to the request for a job.
func (r *Reconciler) takeJob(u *unit, call *dbus.Call) {
	path, err := jobPathOf(call)
	if err != nil {
		r.refuse(u, err)
		return
	}
	u.job.path, u.job.answered = path, call.ResponseSequence
	r.logCorrection(u, u.job.correction)
	r.remember(path)
	if end, ended := u.job.ended[path]; ended {
		r.ended(u, end)
	}
}

// takeOvertaken handles the answer to a start that another start of ours cancels, unless
// it ended before that.
func (r *Reconciler) takeOvertaken(u *unit, call *dbus.Call) {
	path, err := jobPathOf(call)
	if _, ended := u.overtaken.ended[path]; err != nil || ended {
		u.overtaken = nil
		r.reconcile()
		return
	}
	u.overtaken.path, u.overtaken.answered = path, call.ResponseSequence
	r.remember(path)
}

func jobPathOf(call *dbus.Call) (dbus.ObjectPath, error) {
	if call.Err != nil {
		return "", call.Err
	}
	if len(call.Body) == 1 {
		if path, ok := call.Body[0].(dbus.ObjectPath); ok && path != "" {
			return path, nil
		}
	}
	return "", fmt.Errorf("its answer is not a job: %v", call.Body)
}

// refuse handles an error that the manager answered in place of a job.
func (r *Reconciler) refuse(u *unit, err error) {
	verb := u.job.verb
	u.job = nil
	if isUnanswered(err) {
		// The targets' states will show what became of the call.
		r.log.Warn("the user manager did not answer; reading the targets again", "target", u.name, "error", err)
		r.listLater()
		return
	}
	var refusal dbus.Error
	if errors.As(err, &refusal) && refusal.Name == ManagerName+".TransactionIsDestructive" {
		// A running exit.target cannot be undone, and that is fine. The cause is seldom
		// anything else; in that case a later attempt helps.
		if !r.exiting {
			r.log.Info("the user manager is shutting down; leaving the targets to it")
		}
		r.exiting = true
		r.later(exitPause, r.list)
		return
	}
	if verb == stop && !u.isActive() {
		return // gone already
	}
	u.refused = err.Error()
	if u.refused == "" {
		u.refused = refusal.Name // an error need not have a message
	}
	r.log.Warn("cannot "+verb+" "+u.name+": "+u.refused, "target", u.name, "next", remedy(u))
	r.reconcile() // the start of this target would have stopped others
}

// isUnanswered reports whether an error says that the manager has not answered: it
// is exiting, restarting or hanging.
func isUnanswered(err error) bool {
	var refusal dbus.Error
	return err != nil && (!errors.As(err, &refusal) || refusal.Name == "org.freedesktop.DBus.Error.NoReply")
}

// jobRemoved handles the end of any job of a managed target (JobRemoved(u id, o
// job, s unit, s result), org.freedesktop.systemd1(5)).
func (r *Reconciler) jobRemoved(signal *dbus.Signal) {
	path, name, result, err := endedJob(signal.Body)
	if err != nil {
		r.nonsense(signal, err)
		return
	}
	defer r.checkWaiting()
	u := r.unit(name)
	if u == nil {
		return
	}
	if u.queued == path {
		u.queued = ""
	}
	if o := u.overtaken; o != nil {
		switch o.path {
		case path:
			u.overtaken = nil
		case "":
			o.ended[path] = ending{result, u.active, signal.Sequence}
		}
	}
	if u.job == nil {
		r.reconcile()
		return
	}
	switch u.job.path {
	case path:
		r.ended(u, ending{result, u.active, signal.Sequence})
	case "":
		u.job.ended[path] = ending{result, u.active, signal.Sequence}
	}
}

func endedJob(body []any) (path dbus.ObjectPath, unit, result string, err error) {
	if len(body) != 4 {
		return "", "", "", fmt.Errorf("it has %d arguments", len(body))
	}
	_, isID := body[0].(uint32)
	path, isPath := body[1].(dbus.ObjectPath)
	unit, isName := body[2].(string)
	result, isResult := body[3].(string)
	if !isID || !isPath || !isName || !isResult {
		err = fmt.Errorf("its arguments are %T, %T, %T and %T", body[0], body[1], body[2], body[3])
	}
	return path, unit, result, err
}

// ended handles the end of our job for a target.
func (r *Reconciler) ended(u *unit, end ending) {
	verb := u.job.verb
	u.job = nil
	switch {
	case end.result == "canceled":
		// We did not cancel it: when we replace a job, u.job is the new one.
		r.log.Info("something else has canceled the "+verb+" job of "+u.name, "target", u.name, "result", end.result, "next", remedy(u))
		u.settled = true
		// The start of a rival may have canceled it. The manager reports that next.
		u.changed = max(u.changed, end.sequence)
	case end.result != "done":
		u.refused = "job result " + end.result
		r.log.Warn("the "+verb+" job of "+u.name+" ended with result "+end.result, "target", u.name, "result", end.result, "next", remedy(u))
	case verb == start && end.active != "active":
		// systemd also calls a start "done" that a condition has skipped.
		u.refused = "skipped by a condition"
		r.log.Warn("the start job of "+u.name+" is done but the target is "+end.active, "target", u.name, "result", end.result, "next", remedy(u))
	case u.wanted == (verb == start) && u.isActive() != u.wanted:
		// The job moved it, and something else has moved it back since.
		u.settled = true
	}
	r.reconcile()
}

// remedy returns a command that helps with a target that does not start or stop.
func remedy(u *unit) string {
	switch u.load {
	case "not-found":
		return "nm-session-bridge install"
	case "masked":
		return "nm-session-bridge doctor" // which command helps depends on where the mask is
	}
	return "systemctl --user status " + Operands(u.name)
}
