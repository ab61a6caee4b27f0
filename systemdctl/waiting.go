package systemdctl

import (
	"slices"
	"strconv"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

const (
	// anyJobRemoved is the match rule for the ends of all jobs. It is in force
	// only while a wait is on.
	anyJobRemoved = "type='signal',sender='" + ManagerName + "',path='" + string(managerPath) +
		"',interface='" + managerInterface + "',member='JobRemoved'"

	// recently is the greatest age of a job of ours at which a wait includes the
	// jobs that came with it or after it.
	recently = 3 * time.Second
)

// recentJob is a job that the manager has recently given us.
type recentJob struct {
	id uint32
	at time.Time
}

// waiting is a wait for jobs to finish.
type waiting struct {
	done       func()
	stop       func() // ends the match rule
	asking     bool   // whether the manager has been asked for its jobs
	askAgain   bool   // whether to ask it once more
	since      uint32 // the first job to wait for; 0 if there is none
	unfinished []string
	// hanging are the units that start or stop with the targets of the wait; their
	// jobs count however old they are. unasked are those that may have further
	// units that start or stop with them.
	hanging map[string]bool
	unasked []string
}

// hangingOn are the properties of a unit that name the units that are started or
// stopped with it (org.freedesktop.systemd1(5)).
var hangingOn = []string{"Wants", "Requires", "ConsistsOf", "BoundBy", "RequiredBy", "RequisiteOf"}

// AwaitJobs calls done, on the owner's goroutine, once all jobs that our latest jobs
// have caused have ended: those of the units that a target wants and of whatever
// these start, even if they are ordered after the target. It also
// waits for the jobs, however old, of units that start or stop with the given
// targets, directly or through other targets. It replaces an earlier wait.
func (r *Reconciler) AwaitJobs(targets []string, done func()) {
	r.StopWaiting()
	r.waiting = &waiting{done: done, stop: r.manager.Listen(anyJobRemoved), hanging: map[string]bool{}}
	r.waiting.hang(targets)
	for _, g := range r.recentJobs {
		if r.now().Sub(g.at) < recently {
			r.waiting.include(g.id)
		}
	}
	r.checkWaiting()
}

// hang adds the targets, or units that start or stop with them.
func (w *waiting) hang(names []string) {
	for _, name := range names {
		if !w.hanging[name] && strings.HasSuffix(name, ".target") {
			w.unasked = append(w.unasked, name)
		}
		w.hanging[name] = true
	}
}

// askWhatHangs asks which units start or stop with the next target.
func (r *Reconciler) askWhatHangs(w *waiting) {
	next := w.unasked[0]
	w.unasked = w.unasked[1:]
	w.asking = true
	r.callAt(unitPath(next), propertiesInterface+".GetAll", func(call *dbus.Call) {
		if w != r.waiting {
			return
		}
		w.asking = false
		all, _ := allProperties(call) // nothing starts or stops with a target that is not loaded
		for _, name := range hangingOn {
			units, _, _ := property[[]string](all, name)
			w.hang(units)
		}
		r.checkWaiting()
	}, unitInterface)
}

// include extends the wait to a job and all that come after it.
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

// Unfinished returns the units whose jobs the wait is for, as last heard.
func (r *Reconciler) Unfinished() []string {
	if r.waiting == nil {
		return nil
	}
	return r.waiting.unfinished
}

// remember keeps a job that we were given.
func (r *Reconciler) remember(path dbus.ObjectPath) {
	id, err := strconv.ParseUint(string(path)[strings.LastIndexByte(string(path), '/')+1:], 10, 32)
	if err != nil {
		return
	}
	now := r.now()
	r.recentJobs = slices.DeleteFunc(r.recentJobs, func(g recentJob) bool { return now.Sub(g.at) > recently })
	r.recentJobs = append(r.recentJobs, recentJob{uint32(id), now})
	if r.waiting != nil {
		r.waiting.include(uint32(id))
	}
}

// checkWaiting finds out whether the wait is over. The wait goes on until the
// manager has said which jobs are ours.
func (r *Reconciler) checkWaiting() {
	w := r.waiting
	if w == nil || slices.ContainsFunc(r.units, func(u *unit) bool { return u.job != nil && u.job.path == "" }) {
		return
	}
	if w.asking {
		w.askAgain = true
		return
	}
	if len(w.unasked) > 0 {
		r.askWhatHangs(w)
		return
	}
	w.asking = true
	r.call(managerInterface+".ListJobs", func(call *dbus.Call) {
		if w == r.waiting {
			r.takeJobs(call)
		}
	})
}

// takeJobs looks for jobs that came with ours or after them: the manager numbers
// jobs in the order in which it makes them.
func (r *Reconciler) takeJobs(call *dbus.Call) {
	w := r.waiting
	w.asking = false
	var jobs []systemd.JobStatus
	err := call.Store(&jobs)
	if err == nil && w.askAgain {
		w.askAgain = false
		r.checkWaiting()
		return
	}
	w.unfinished = nil
	for _, job := range jobs {
		if w.since != 0 && job.Id >= w.since || w.hanging[job.Unit] {
			w.unfinished = append(w.unfinished, job.Unit)
		}
	}
	if len(w.unfinished) > 0 {
		return
	}
	// An error also ends the wait, because nothing is known then.
	r.StopWaiting()
	w.done()
}
