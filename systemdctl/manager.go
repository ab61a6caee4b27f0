package systemdctl

import (
	"context"
	"errors"
	"path"
	"slices"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

const (
	// ManagerName is the user manager's name on the session bus
	// (https://www.freedesktop.org/wiki/Software/systemd/dbus).
	ManagerName = "org.freedesktop.systemd1"

	managerPath         = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerInterface    = ManagerName + ".Manager"
	unitInterface       = ManagerName + ".Unit"
	serviceInterface    = ManagerName + ".Service"
	propertiesInterface = "org.freedesktop.DBus.Properties"

	// absencePatience is how long a user manager may be missing before the log says
	// so.
	absencePatience = 5 * time.Second

	// callTimeout bounds the wait for an answer of the manager. Jobs take longer,
	// but a signal announces their end, not an answer.
	callTimeout = 25 * time.Second
)

// Manager is the followed user manager, handed in by main.
type Manager interface {
	// Signals delivers, in order, the manager's signals, and a NameOwnerChanged for
	// each change of owner. A NameOwnerChanged is the first signal. A
	// NameOwnerChanged that names the present owner again means that signals were
	// lost.
	Signals() <-chan *dbus.Signal
	// Go sends a method call without waiting for the answer; calls arrive in
	// the order in which they were made.
	Go(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call
	// Listen asks the bus for the signals that a match rule describes until
	// stop is called. Calls made after it are answered after the bus has taken
	// the rule.
	Listen(rule string) (stop func())
}

// Matches returns the match rules for the user manager's signals about itself:
// its reloads. A [Reconciler] adds the rules for its targets.
func Matches() []string {
	return []string{"type='signal',sender='" + ManagerName + "',path='" + string(managerPath) + "',interface='" + managerInterface + "',member='Reloading'"}
}

const sentByManager = "type='signal',sender='" + ManagerName + "',"

// rules returns the match rules for the user manager's signals about a target:
// its state and the ends of its jobs. A unit's name never contains a quote.
func rules(name string) []string {
	return []string{
		changes(name) + ",arg0='" + unitInterface + "'",
		sentByManager + "path='" + string(managerPath) + "',interface='" + managerInterface + "',member='JobRemoved',arg2='" + name + "'",
	}
}

// changes returns the match rule for the user manager's signals about the state of a
// unit, on the interfaces of all units and of its own type.
func changes(name string) string {
	return sentByManager + "path='" + string(unitPath(name)) + "',interface='" + propertiesInterface + "',member='PropertiesChanged'"
}

// newUnits is the match rule for the units that the user manager loads. It
// matches all of them, because match rules have no patterns.
const newUnits = sentByManager + "path='" + string(managerPath) + "',interface='" + managerInterface + "',member='UnitNew'"

// unitPath returns a unit's object path.
func unitPath(name string) dbus.ObjectPath {
	return managerPath + "/unit/" + dbus.ObjectPath(systemd.PathBusEscape(name))
}

// Signals returns the channel of the manager's signals. The caller passes each
// to [Reconciler.Signal].
func (r *Reconciler) Signals() <-chan *dbus.Signal {
	return r.manager.Signals()
}

// Signal handles one signal of the manager. It returns the targets that
// something else has moved, and reports whether the signal concerns the targets.
func (r *Reconciler) Signal(signal *dbus.Signal) (moved Moved, isOurs bool) {
	switch signal.Name {
	case "org.freedesktop.DBus.NameOwnerChanged":
		owner, _ := signal.Body[2].(string)
		r.ownerChanged(owner)
	case managerInterface + ".Reloading":
		r.reloading(signal)
	case managerInterface + ".JobRemoved":
		r.jobRemoved(signal)
	case managerInterface + ".UnitNew":
		if !r.unitNew(signal) {
			return Moved{}, false
		}
	case propertiesInterface + ".PropertiesChanged":
		r.propertiesChanged(signal)
	}
	return r.takeMoved(), true
}

// takeMoved returns what has moved since the last call.
func (r *Reconciler) takeMoved() Moved {
	moved := r.moved
	r.moved = Moved{}
	return moved
}

// ownerChanged starts again with a new manager. A manager that re-executes
// itself changes its unique name and never answers the calls in flight.
func (r *Reconciler) ownerChanged(owner string) {
	if owner == r.owner && owner != "" {
		r.list() // signals were lost
		r.rereadFollowers()
		return
	}
	r.owner, r.listed, r.exiting, r.nonsenseLogged = owner, false, false, false
	r.listing++
	for _, u := range r.units {
		u.job, u.overtaken, u.refused = nil, nil, ""
	}
	if owner == "" {
		r.later(absencePatience, r.logAbsence)
		return
	}
	if r.absenceLogged {
		r.absenceLogged = false
		r.log.Info("the systemd user manager is there")
	}
	r.backoff = firstRetry
	// Without a subscriber the manager does not signal the states of units. An
	// error means that this connection is subscribed already, or that the
	// manager has gone again.
	r.call(managerInterface+".Subscribe", func(*dbus.Call) {})
	r.list()
	r.rereadFollowers()
}

// logAbsence says that there is no user manager. At login, the first client may
// reach the session bus before the manager does.
func (r *Reconciler) logAbsence() {
	r.absenceLogged = true
	r.log.Warn("there is no systemd user manager on the session bus; waiting for one", "next", "loginctl user-status")
}

// reloading handles the end of a reload, in which units may have come, gone or been
// repaired. The reconciler retries a unit that could not be loaded once it can be
// (Reloading(b active), org.freedesktop.systemd1(5)).
func (r *Reconciler) reloading(signal *dbus.Signal) {
	var active bool
	if err := dbus.Store(signal.Body, &active); err != nil || active {
		return
	}
	for _, u := range r.units {
		if u.load == "loaded" {
			u.refused = ""
		}
	}
	r.list()
}

// unitNew handles the signal that the manager has loaded a unit, which precedes each
// start (UnitNew(s id, o unit), org.freedesktop.systemd1(5)). It reports whether it
// has begun to manage the unit.
func (r *Reconciler) unitNew(signal *dbus.Signal) bool {
	var name string
	isString := false
	if len(signal.Body) == 2 {
		name, isString = signal.Body[0].(string)
	}
	switch {
	case !isString:
		r.nonsense(signal, errors.New("it names no unit"))
	case r.unit(name) == nil && r.isPatterned(name):
		r.manage(name)
		r.list()
	default:
		return false
	}
	return true
}

// isPatterned reports whether a name matches a pattern of managed targets.
func (r *Reconciler) isPatterned(name string) bool {
	return slices.ContainsFunc(r.patterns, func(pattern string) bool {
		matched, _ := path.Match(pattern, name) // an error means that the pattern is wrong
		return matched
	})
}

// nonsense reads the states again after a signal that cannot be understood. It
// logs only the first of each manager, because more are likely to follow.
func (r *Reconciler) nonsense(signal *dbus.Signal, err error) {
	if !r.nonsenseLogged {
		r.nonsenseLogged = true
		r.log.Warn("reading the targets again: a signal of the user manager made no sense", "signal", signal.Name, "path", signal.Path, "error", err)
	}
	r.list()
}

// call calls a method of the manager. It passes the answer to take, on the
// owner's goroutine.
func (r *Reconciler) call(method string, take func(*dbus.Call), args ...any) {
	r.callAt(managerPath, method, take, args...)
}

// callAt is like call, for another object of the manager.
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

// post calls a function on the owner's goroutine.
func (r *Reconciler) post(do func()) {
	r.handOver(func() Moved {
		do()
		return r.takeMoved()
	})
}
