package systemdctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	start = "start"
	stop  = "stop"

	// jobMode replaces a job that is still queued for the unit, so that a flip
	// back cancels the way there (org.freedesktop.systemd1(5), StartUnit).
	jobMode = "replace"

	// callTimeout bounds one answer of the manager. Jobs take longer: their
	// end is signalled, not answered.
	callTimeout = 25 * time.Second

	// leavingPause is how long a user manager that shuts down is left alone.
	// It is gone before that, if it is.
	leavingPause = 5 * time.Second
)

// job is a job that we asked for.
type job struct {
	verb string
	path dbus.ObjectPath // "" until the manager has answered
	// answered is the place of the answer in the stream of messages.
	answered dbus.Sequence
	// ended holds jobs that ended before the answer told which one is ours.
	ended map[dbus.ObjectPath]ending
}

// ending is how a job ended and what its target was at that moment.
type ending struct {
	result, active string
}

// ask asks the manager for a job; its end arrives as a signal.
func (r *Reconciler) ask(u *unit, verb string) {
	method := managerInterface + ".StartUnit"
	if verb == stop {
		method = managerInterface + ".StopUnit"
	}
	j := &job{verb: verb, ended: map[dbus.ObjectPath]ending{}}
	u.job = j
	r.call(method, func(call *dbus.Call) {
		if u.job == j {
			r.asked(u, call)
		}
		r.checkWaiting()
	}, u.name, jobMode)
	if verb == start && u.conflicts == nil && slices.ContainsFunc(r.units, (*unit).isStopping) {
		r.askConflicts(u)
	}
}

// askConflicts asks what the start of a target stops, for the next time: the
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

// asked takes the answer to a job that was asked for.
func (r *Reconciler) asked(u *unit, call *dbus.Call) {
	path, err := givenPath(call)
	if err != nil {
		r.refuse(u, err)
		return
	}
	u.job.path, u.job.answered = path, call.ResponseSequence
	r.note(path)
	if end, ended := u.job.ended[path]; ended {
		r.ended(u, end)
	}
}

func givenPath(call *dbus.Call) (dbus.ObjectPath, error) {
	if call.Err != nil {
		return "", call.Err
	}
	if len(call.Body) == 1 {
		if path, ok := call.Body[0].(dbus.ObjectPath); ok && path != "" {
			return path, nil
		}
	}
	return "", fmt.Errorf("its answer is no job: %v", call.Body)
}

// refuse takes an error in place of a job.
func (r *Reconciler) refuse(u *unit, err error) {
	verb := u.job.verb
	u.job = nil
	var refusal dbus.Error
	if !errors.As(err, &refusal) || refusal.Name == "org.freedesktop.DBus.Error.NoReply" {
		// The manager is going, restarting or hanging; its state tells what
		// became of the call.
		r.log.Warn("the user manager did not answer; reading the targets anew", "target", u.name, "error", err)
		r.listLater()
		return
	}
	if refusal.Name == ManagerName+".TransactionIsDestructive" {
		// A running exit.target does not let itself be undone, and nobody
		// minds. It is seldom anything else; then trying again later helps.
		r.log.Info("the user manager is shutting down; leaving the targets to it")
		r.leaving = true
		r.later(leavingPause, r.list)
		return
	}
	if verb == stop && !u.isActive() {
		return // gone already
	}
	u.refused = err.Error()
	if u.refused == "" {
		u.refused = refusal.Name // an error need not say more
	}
	r.log.Warn("cannot "+verb+" "+u.name+": "+u.refused, "target", u.name, "next", remedy(u))
	r.reconcile() // what its start would have stopped
}

// jobRemoved takes the end of any job of a managed target
// (JobRemoved(u id, o job, s unit, s result), org.freedesktop.systemd1(5)).
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
	if u.job == nil {
		r.reconcile()
		return
	}
	switch u.job.path {
	case path:
		r.ended(u, ending{result, u.active})
	case "":
		u.job.ended[path] = ending{result, u.active}
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

// ended takes the end of our job for a target.
func (r *Reconciler) ended(u *unit, end ending) {
	verb := u.job.verb
	u.job = nil
	switch {
	case end.result == "canceled":
		// Not by us: a job that replaces ours has taken its place here.
		r.log.Info("something else has canceled the "+verb+" job of "+u.name, "target", u.name, "result", end.result, "next", remedy(u))
		u.settled = true
	case end.result != "done":
		u.refused = "job result " + end.result
		r.log.Warn("the "+verb+" job of "+u.name+" ended with result "+end.result, "target", u.name, "result", end.result, "next", remedy(u))
	case verb == start && end.active != "active":
		// systemd also calls a start done that a condition has skipped.
		u.refused = "skipped by a condition"
		r.log.Warn("the start job of "+u.name+" is done but the target is "+end.active, "target", u.name, "result", end.result, "next", remedy(u))
	}
	r.reconcile()
}

// remedy is what the user may do about a target that does not start or stop.
func remedy(u *unit) string {
	switch u.load {
	case "not-found":
		return "nm-session-bridge install"
	case "masked":
		return "systemctl --user unmask " + u.name
	}
	return "systemctl --user status " + u.name
}

// call sends a method call to the manager and has its answer passed to take on
// the owner's goroutine.
func (r *Reconciler) call(method string, take func(*dbus.Call), args ...any) {
	r.callAt(managerPath, method, take, args...)
}

// callAt is call to another object of the manager's.
func (r *Reconciler) callAt(path dbus.ObjectPath, method string, take func(*dbus.Call), args ...any) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	call := r.manager.Go(ctx, path, method, args...)
	go func() {
		defer cancel()
		select {
		case <-call.Done:
			r.post(func() { take(call) })
		case <-r.done:
		}
	}()
}

// post has a function called on the owner's goroutine.
func (r *Reconciler) post(f func()) {
	select {
	case r.replies <- f:
	case <-r.done:
	}
}
