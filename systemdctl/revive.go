package systemdctl

import (
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// reviveAfter is how long a target has been active when the services that it
// wants are checked: systemd's default start limit counts the starts within this
// time (DefaultStartLimitIntervalSec=, systemd-user.conf(5)).
const reviveAfter = 10 * time.Second

// startLimitHit is the Result of a service that systemd refused to start again so
// soon. The service stays failed under an active target
// (org.freedesktop.systemd1(5), systemd.unit(5), StartLimitIntervalSec=).
const startLimitHit = "start-limit-hit"

// limited holds the properties that are asked of a failed service.
type limited struct {
	Result               string
	WantedBy, RequiredBy []string
	// StartLimitIntervalUSec is in microseconds, StateChangeTimestampMonotonic
	// in those of CLOCK_MONOTONIC.
	StartLimitIntervalUSec, StateChangeTimestampMonotonic uint64
	// InactiveExitTimestampMonotonic is when it began to run last; 0 for never.
	InactiveExitTimestampMonotonic uint64
	// isQueued reports whether it has a job.
	isQueued bool
}

// revival is a failed service that may be started again until its target moves.
type revival struct {
	target     *unit
	activation int
	service    systemd.UnitStatus
	clock      Clock // by which the manager measures
	// changed is when the service failed, according to the manager. failed is the
	// same moment in clock; 0 before the manager was asked.
	changed uint64
	failed  time.Duration
	// isStarted reports whether it was started again. ran is when it had last begun
	// to run before that, according to the manager.
	isStarted bool
	ran       uint64
}

// reviveLater checks the services that a target wants some time after it has
// become active, if it is still active then.
func (r *Reconciler) reviveLater(u *unit) {
	u.stopReviving()
	u.activation++
	r.findLimitedLater(u, u.activation)
}

func (r *Reconciler) findLimitedLater(u *unit, activation int) {
	if u.activation != activation {
		return
	}
	r.lookLater(r.clocks.Monotonic, reviveAfter, u, activation, func() { r.findLimited(u, activation) })
}

// lookLater calls look after a time if a target is still active then. While the
// manager does not answer, it waits again.
func (r *Reconciler) lookLater(clock Clock, wait time.Duration, u *unit, activation int, look func()) {
	u.reviving = append(u.reviving, clock.AfterFunc(wait, func() {
		r.post(func() {
			switch {
			case r.isStill(u, activation):
				look()
			case u.activation == activation && u.wanted && !r.listed:
				r.lookLater(r.clocks.Monotonic, reviveAfter, u, activation, look)
			}
		})
	}))
}

func (u *unit) stopReviving() {
	for _, stop := range u.reviving {
		stop()
	}
	u.reviving = nil
}

// isStill reports whether a target has not moved since an activation.
func (r *Reconciler) isStill(u *unit, activation int) bool {
	return u.activation == activation && u.settled && u.wanted && u.isActive() && r.listed && !r.exiting
}

// findLimited finds the failed services.
func (r *Reconciler) findLimited(u *unit, activation int) {
	r.call(managerInterface+".ListUnitsByPatterns", func(call *dbus.Call) {
		var failed []systemd.UnitStatus
		if isUnanswered(call.Err) {
			r.findLimitedLater(u, activation)
			return
		}
		if err := call.Store(&failed); err != nil || len(failed) == 0 || !r.isStill(u, activation) {
			return
		}
		r.call(propertiesInterface+".Get", func(call *dbus.Call) {
			var version string
			if isUnanswered(call.Err) {
				r.findLimitedLater(u, activation)
				return
			}
			if err := call.Store(&version); err != nil || !r.isStill(u, activation) {
				return
			}
			for _, f := range failed {
				r.revive(revival{target: u, activation: activation, service: f, clock: r.clocks.ofManager(version)})
			}
		}, managerInterface, "Version")
	}, []string{"failed"}, []string{"*.service"})
}

// revive starts a failed service once more if the target wants it, directly or
// through targets of the user, and the start limit kept it from starting. A service
// that the user stopped has not failed, and one that failed by itself has another
// result (up to systemd 257 even if it hit the limit later). Both stay as they are.
func (r *Reconciler) revive(v revival) {
	u := v.target
	r.callAt(v.service.Path, propertiesInterface+".GetAll", func(call *dbus.Call) {
		service, err := limitedService(call)
		switch {
		case u.activation != v.activation:
		case isUnanswered(call.Err), service.isQueued:
			r.lookAgain(v)
		case err != nil, !r.isStill(u, v.activation):
		case service.Result == startLimitHit && (!v.isStarted || service.InactiveExitTimestampMonotonic == v.ran):
			r.ifBehind(u, slices.Concat(service.WantedBy, service.RequiredBy), map[string]bool{}, func() { r.startOnceAllowed(v, service) })
		}
	}, "") // of all interfaces
}

// lookAgain checks later what has become of a service.
func (r *Reconciler) lookAgain(v revival) {
	r.lookLater(r.clocks.Monotonic, reviveAfter, v.target, v.activation, func() { r.revive(v) })
}

// ifBehind calls do if a target is among those that want something, or wants one of
// these through targets of the user.
func (r *Reconciler) ifBehind(u *unit, wantedBy []string, asked map[string]bool, do func()) {
	if slices.Contains(wantedBy, u.name) {
		do()
		return
	}
	i := slices.IndexFunc(wantedBy, func(name string) bool { return strings.HasSuffix(name, ".target") && !asked[name] })
	if i < 0 {
		return
	}
	asked[wantedBy[i]] = true
	r.callAt(unitPath(wantedBy[i]), propertiesInterface+".GetAll", func(call *dbus.Call) {
		all, _ := allProperties(call) // nothing is known of one that is not loaded
		wants, _, _ := property[[]string](all, "WantedBy")
		requires, _, _ := property[[]string](all, "RequiredBy")
		r.ifBehind(u, slices.Concat(wantedBy, wants, requires), asked, do)
	}, unitInterface)
}

// startOnceAllowed starts a service that the start limit kept from starting, once the
// limit allows it. Later it checks whether the service has run, and tries again if
// the limit prevented that start, too.
func (r *Reconciler) startOnceAllowed(v revival, service limited) {
	u, name := v.target, v.service.Name
	if !r.isStill(u, v.activation) {
		return
	}
	v.date(service, r.clocks.Monotonic)
	if rest := v.rest(service); rest > 0 {
		r.lookLater(v.clock, rest, u, v.activation, func() { r.revive(v) })
		return
	}
	v.isStarted, v.ran = true, service.InactiveExitTimestampMonotonic
	r.log.Info("starting "+name+" again: systemd's start limit kept it from starting with "+u.name, "unit", name, "target", u.name)
	r.call(managerInterface+".StartUnit", func(call *dbus.Call) {
		if call.Err != nil && !isUnanswered(call.Err) {
			r.log.Warn("cannot start "+name+": "+call.Err.Error(), "unit", name, "next", "systemctl --user status "+Operands(name))
			return
		}
		if u.activation == v.activation {
			r.lookAgain(v)
		}
	}, name, jobMode)
}

// date finds out when the service failed, in the clock by which the manager measures.
// The manager reports it only in CLOCK_MONOTONIC. Sleep between the failure and this
// first look does not count, so the service may start later than it could, but not
// too early.
func (v *revival) date(service limited, monotonic Clock) {
	if v.changed == service.StateChangeTimestampMonotonic {
		return
	}
	v.changed = service.StateChangeTimestampMonotonic
	v.failed = v.clock.Now() - max(0, monotonic.Now()-span(v.changed))
}

// rest returns how much of the start limit's time is left since the service
// failed.
func (v *revival) rest(service limited) time.Duration {
	return span(service.StartLimitIntervalUSec) - (v.clock.Now() - v.failed)
}

// span returns a number of microseconds as a duration, at most the longest one.
func span(micros uint64) time.Duration {
	const longest = math.MaxInt64 / uint64(time.Microsecond)
	return time.Duration(min(micros, longest)) * time.Microsecond
}

// limitedService reads the properties of a service.
func limitedService(call *dbus.Call) (service limited, err error) {
	all, err := allProperties(call)
	if err != nil {
		return limited{}, err
	}
	service.isQueued = hasJob(all)
	return service, errors.Join(
		must(all, "Result", &service.Result),
		must(all, "WantedBy", &service.WantedBy),
		must(all, "RequiredBy", &service.RequiredBy),
		must(all, "StartLimitIntervalUSec", &service.StartLimitIntervalUSec),
		must(all, "StateChangeTimestampMonotonic", &service.StateChangeTimestampMonotonic),
		must(all, "InactiveExitTimestampMonotonic", &service.InactiveExitTimestampMonotonic),
	)
}
