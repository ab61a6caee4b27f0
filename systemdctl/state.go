package systemdctl

import (
	"fmt"
	"slices"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// A failed reading of the targets is tried again after firstRetry, then after
// twice as long each time, up to lastRetry.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// list reads the states of all managed targets, and finds new ones that match a
// pattern.
func (r *Reconciler) list() {
	r.listing++
	r.exiting = false
	listing := r.listing
	if len(r.patterns) == 0 {
		r.listNames(listing)
		return
	}
	r.call(managerInterface+".ListUnitsByPatterns", func(call *dbus.Call) {
		if listing == r.listing {
			r.takeFound(call)
		}
	}, []string{}, r.patterns)
}

// takeFound begins to manage the targets that were found. It forgets targets
// that are neither loaded nor wanted, because asking for their states would
// load them.
func (r *Reconciler) takeFound(call *dbus.Call) {
	var found []systemd.UnitStatus
	if err := call.Store(&found); err != nil {
		r.log.Warn("the user manager did not list its targets; trying again", "error", err)
		r.listLater()
		return
	}
	loaded := map[string]bool{}
	for _, status := range found {
		loaded[status.Name] = true
		if r.unit(status.Name) == nil {
			r.manage(status.Name)
		}
	}
	for _, u := range slices.Clone(r.units) {
		if r.isPatterned(u.name) && !loaded[u.name] && !u.wanted && u.job == nil {
			r.forget(u)
		}
	}
	r.listNames(r.listing)
}

func (r *Reconciler) listNames(listing int) {
	names := make([]string, len(r.units))
	for i, u := range r.units {
		names[i] = u.name
	}
	r.call(managerInterface+".ListUnitsByNames", func(call *dbus.Call) {
		if listing == r.listing {
			r.takeList(call)
		}
	}, names)
}

// listLater reads the states again after a pause that grows with each failure.
func (r *Reconciler) listLater() {
	r.later(r.backoff, r.list)
	r.backoff = min(2*r.backoff, lastRetry)
}

// later calls a function on the owner's goroutine after a pause, unless the
// states are read or the manager changes first.
func (r *Reconciler) later(pause time.Duration, do func()) {
	r.listing++
	listing := r.listing
	time.AfterFunc(pause, func() {
		r.post(func() {
			if listing == r.listing {
				do()
			}
		})
	})
}

func (r *Reconciler) takeList(call *dbus.Call) {
	var listed []systemd.UnitStatus
	err := call.Store(&listed)
	if err == nil {
		err = r.checkComplete(listed)
	}
	if err != nil {
		r.log.Warn("the user manager did not list its targets; trying again", "error", err)
		r.listLater()
		return
	}
	r.backoff = firstRetry
	r.listed, r.told, r.toldAt = true, r.listing, call.ResponseSequence
	for _, status := range listed {
		if u := r.unit(status.Name); u != nil {
			u.takeStatus(status, call.ResponseSequence)
			r.noteStray(u)
			r.askAgain(u)
		}
	}
	r.reconcile()
	r.checkWaiting() // the end of a job may be among the lost signals
}

// checkComplete returns an error that names a target that is not in a list. The
// manager lists everything that it is asked for, also units without a file.
func (r *Reconciler) checkComplete(listed []systemd.UnitStatus) error {
	for _, u := range r.units {
		if !slices.ContainsFunc(listed, func(status systemd.UnitStatus) bool { return status.Name == u.name }) {
			return fmt.Errorf("%s is not in the list", u.name)
		}
	}
	return nil
}

// takeStatus stores what a list says about a target, unless a signal that was
// sent after the list was handled already.
func (u *unit) takeStatus(status systemd.UnitStatus, sequence dbus.Sequence) {
	if status.LoadState != u.load {
		// A refused start or stop is worth another attempt.
		u.load, u.refused = status.LoadState, ""
	}
	u.conflicts = nil
	if u.sequence > sequence {
		return
	}
	u.is(status.ActiveState, sequence)
	u.queued = ""
	if status.JobId != 0 {
		u.queued = status.JobPath
	}
	if u.job.isOver(u.queued, sequence) {
		u.job = nil
	}
	if u.overtaken.isOver(u.queued, sequence) {
		u.overtaken = nil
	}
}

// propertiesChanged stores a target's new state. Targets also signal changes of
// no interest.
func (r *Reconciler) propertiesChanged(signal *dbus.Signal) {
	u := r.unitAt(signal.Path)
	if f := r.followers[signal.Path]; f != nil {
		if changed, err := changedProperties(signal.Body, unitInterface, serviceInterface); err == nil {
			r.followerChanged(signal.Path, f, changed, signal.Sequence)
		}
	}
	if u == nil {
		return
	}
	changed, err := changedProperties(signal.Body, unitInterface)
	if err == nil {
		err = u.take(changed, signal.Sequence)
	}
	if err != nil {
		r.nonsense(signal, err)
		return
	}
	if u.maybeUnused && u.isActive() {
		r.search(u)
	}
	r.noteStray(u)
	r.reconcile()
}

// is stores a unit's ActiveState as a message reported it.
func (u *unit) is(active string, sequence dbus.Sequence) {
	if (active == "active") != u.isActive() {
		u.changed, u.maybeUnused = sequence, u.maybeUnused && active == "active"
	}
	u.active, u.sequence = active, sequence
	u.displaced = u.displaced && u.isActive()
}

// take stores a unit's changed properties as a message reported them: ActiveState
// (s) and Job (uo: its id, 0 where there is none, and path).
func (u *unit) take(changed properties, sequence dbus.Sequence) error {
	active, told, err := property[string](changed, "ActiveState")
	if err != nil {
		return err
	}
	if !told {
		active = u.active
	}
	u.is(active, sequence)
	job, told, err := property[[]any](changed, "Job") // as godbus decodes a structure
	if err != nil {
		return err
	}
	if told {
		id, path, err := idAndPath(job)
		if err != nil {
			return fmt.Errorf("the property Job is %v: %w", job, err)
		}
		u.queued = ""
		if id != 0 {
			u.queued = path
		}
	}
	return nil
}

// noteStray notes a target that is active although nobody has decided whether
// it is wanted.
func (r *Reconciler) noteStray(u *unit) {
	if u.isStray() && !slices.Contains(r.moved.Strays, u.name) {
		r.moved.Strays = append(r.moved.Strays, u.name)
	}
}
