package systemdctl

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// anyJobRemoved is the match rule for the ends of all jobs. It is only in
	// force while they are waited for.
	anyJobRemoved = "type='signal',sender='" + ManagerName + "',path='" + string(managerPath) +
		"',interface='" + managerInterface + "',member='JobRemoved'"

	// A job that we were given longer before a wait has nothing to do with it.
	recently = 3 * time.Second
)

// givenJob is a job that the manager has given us.
type givenJob struct {
	id uint32
	at time.Time
}

// waiting is a wait for jobs to finish.
type waiting struct {
	done       func()
	stop       func() // ends the match rule
	asking     bool   // whether the manager has been asked for its jobs
	again      bool   // whether it is to be asked once more
	since      uint32 // the first job that is waited for; 0 while there is none
	unfinished []string
}

// AwaitJobs calls done, on the owner's goroutine, once no job is left of those
// that our latest jobs have brought about: the units that a target wants and
// whatever those start, also where they order themselves after the target. It
// replaces an earlier wait.
func (r *Reconciler) AwaitJobs(done func()) {
	r.StopWaiting()
	r.waiting = &waiting{done: done, stop: r.manager.Listen(anyJobRemoved)}
	for _, g := range r.given {
		if time.Since(g.at) < recently {
			r.waiting.include(g.id)
		}
	}
	r.checkWaiting()
}

// include has a job, and all that come after it, waited for.
func (w *waiting) include(id uint32) {
	if w.since == 0 || id < w.since {
		w.since = id
	}
}

// StopWaiting ends a wait that [Reconciler.AwaitJobs] began.
func (r *Reconciler) StopWaiting() {
	if r.waiting != nil {
		r.waiting.stop()
		r.waiting = nil
	}
}

// Unfinished returns the units whose jobs are waited for, as last heard.
func (r *Reconciler) Unfinished() []string {
	if r.waiting == nil {
		return nil
	}
	return r.waiting.unfinished
}

// note remembers a job that we were given.
func (r *Reconciler) note(path dbus.ObjectPath) {
	id, err := strconv.ParseUint(string(path)[strings.LastIndexByte(string(path), '/')+1:], 10, 32)
	if err != nil {
		return
	}
	now := time.Now()
	r.given = slices.DeleteFunc(r.given, func(g givenJob) bool { return now.Sub(g.at) > recently })
	r.given = append(r.given, givenJob{uint32(id), now})
	if r.waiting != nil {
		r.waiting.include(uint32(id))
	}
}

// checkWaiting finds out whether what is waited for has finished.
func (r *Reconciler) checkWaiting() {
	w := r.waiting
	if w == nil || slices.ContainsFunc(r.units, func(u *unit) bool { return u.job != nil && u.job.path == "" }) {
		return
	}
	if w.asking {
		w.again = true
		return
	}
	w.asking = true
	r.call(managerInterface+".ListJobs", func(call *dbus.Call) {
		if w == r.waiting {
			r.takeJobs(call)
		}
	})
}

// listedJob is an element of ListJobs' answer (org.freedesktop.systemd1(5)).
type listedJob struct {
	ID                uint32
	Unit, Type, State string
	Path, UnitPath    dbus.ObjectPath
}

// takeJobs looks for jobs that came with ours or after them: the manager numbers
// jobs in the order in which they come.
func (r *Reconciler) takeJobs(call *dbus.Call) {
	w := r.waiting
	w.asking = false
	var jobs []listedJob
	err := call.Store(&jobs)
	if err == nil && w.again {
		w.again = false
		r.checkWaiting()
		return
	}
	w.unfinished = nil
	for _, job := range jobs {
		if w.since != 0 && job.ID >= w.since {
			w.unfinished = append(w.unfinished, job.Unit)
		}
	}
	if len(w.unfinished) > 0 {
		return
	}
	// A manager that does not tell is not waited for either.
	r.StopWaiting()
	w.done()
}
