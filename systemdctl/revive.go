package systemdctl

import (
	"math"
	"slices"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// reviveAfter is how long a target has been active before those it wants are
// looked after: systemd's default start limit counts the starts in this time
// (DefaultStartLimitIntervalSec=, systemd-user.conf(5)).
const reviveAfter = 10 * time.Second

// startLimitHit is the Result of a service that systemd would not start again
// so soon; it stays failed under an active target, for good
// (org.freedesktop.systemd1(5), systemd.unit(5), StartLimitIntervalSec=).
const startLimitHit = "start-limit-hit"

// limited is what is asked of a failed service.
type limited struct {
	Result               string
	WantedBy, RequiredBy []string
	// StartLimitIntervalUSec is in microseconds, StateChangeTimestamp in
	// microseconds since 1970.
	StartLimitIntervalUSec, StateChangeTimestamp uint64
}

// reviveLater has the services looked after that a target wants, some time
// after it has become active and if it then still is.
func (r *Reconciler) reviveLater(u *unit) {
	u.activation++
	activation := u.activation
	time.AfterFunc(reviveAfter, func() {
		r.post(func() {
			if r.isStill(u, activation) {
				r.findLimited(u, activation)
			}
		})
	})
}

// isStill tells whether a target has not moved since an activation.
func (r *Reconciler) isStill(u *unit, activation int) bool {
	return u.activation == activation && u.settled && u.wanted && u.isActive() && r.listed && !r.exiting
}

// findLimited finds the failed services.
func (r *Reconciler) findLimited(u *unit, activation int) {
	r.call(managerInterface+".ListUnitsByPatterns", func(call *dbus.Call) {
		var failed []systemd.UnitStatus
		if err := call.Store(&failed); err != nil || !r.isStill(u, activation) {
			return // a manager that does not tell is reloading or going
		}
		for _, f := range failed {
			r.revive(u, activation, f)
		}
	}, []string{"failed"}, []string{"*.service"})
}

// revive starts a failed service once more if the target wants it and the start
// limit kept it from starting. A service that its user stopped has not failed,
// and one that failed by itself says so: both stay as they are.
func (r *Reconciler) revive(u *unit, activation int, failed systemd.UnitStatus) {
	r.callAt(failed.Path, propertiesInterface+".GetAll", func(call *dbus.Call) {
		service, ok := limitedService(call)
		wanted := slices.Contains(service.WantedBy, u.name) || slices.Contains(service.RequiredBy, u.name)
		if !ok || service.Result != startLimitHit || !wanted || !r.isStill(u, activation) {
			return
		}
		if rest := service.rest(r.now()); rest > 0 {
			time.AfterFunc(rest, func() {
				r.post(func() {
					if r.isStill(u, activation) {
						r.revive(u, activation, failed)
					}
				})
			})
			return
		}
		r.log.Info("starting "+failed.Name+" again: systemd's start limit kept it from starting with "+u.name, "unit", failed.Name, "target", u.name)
		r.call(managerInterface+".StartUnit", func(call *dbus.Call) {
			if call.Err != nil {
				r.log.Warn("cannot start "+failed.Name+": "+call.Err.Error(), "unit", failed.Name, "next", "systemctl --user status "+failed.Name)
			}
		}, failed.Name, jobMode)
	}, "") // of all interfaces
}

// rest is how much is left of the start limit's time since the service failed.
// A clock that was set in between makes it at most that time.
func (s limited) rest(now time.Time) time.Duration {
	const longest = math.MaxInt64 / uint64(time.Microsecond)
	interval := time.Duration(min(s.StartLimitIntervalUSec, longest)) * time.Microsecond
	changed := min(s.StateChangeTimestamp, uint64(now.UnixMicro()))
	return interval - now.Sub(time.UnixMicro(int64(changed)))
}

// limitedService takes the properties of a service.
func limitedService(call *dbus.Call) (service limited, ok bool) {
	all, err := allProperties(call)
	if err != nil {
		return limited{}, false
	}
	for name, into := range map[string]any{
		"Result":                 &service.Result,
		"WantedBy":               &service.WantedBy,
		"RequiredBy":             &service.RequiredBy,
		"StartLimitIntervalUSec": &service.StartLimitIntervalUSec,
		"StateChangeTimestamp":   &service.StateChangeTimestamp,
	} {
		if v, told := all[name]; !told || v.Store(into) != nil {
			return limited{}, false
		}
	}
	return service, true
}
