package systemdctl

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// A failed reading of the targets is tried again after firstRetry, then
	// after twice as long each time, up to lastRetry.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second

	// patience is how long the absence of a user manager is no news.
	patience = 5 * time.Second
)

// Matches returns the match rules for what the user manager says of itself: its
// reloads. For what it says of the targets, a [Reconciler] listens.
func Matches() [][]dbus.MatchOption {
	return [][]dbus.MatchOption{{
		dbus.WithMatchSender(ManagerName),
		dbus.WithMatchObjectPath(managerPath),
		dbus.WithMatchInterface(managerInterface),
		dbus.WithMatchMember("Reloading"),
	}}
}

// rules returns the match rules for what the user manager says of a target: its
// state and the ends of its jobs. No unit's name has a quote in it.
func rules(name string) []string {
	const sender = "type='signal',sender='" + ManagerName + "',"
	return []string{
		sender + "path='" + string(unitPath(name)) + "',interface='" + propertiesInterface + "',member='PropertiesChanged',arg0='" + unitInterface + "'",
		sender + "path='" + string(managerPath) + "',interface='" + managerInterface + "',member='JobRemoved',arg2='" + name + "'",
	}
}

// newUnits is the match rule for the units that the user manager loads. None
// can be for some of them only: there are no patterns in match rules.
const newUnits = "type='signal',sender='" + ManagerName + "',path='" + string(managerPath) + "',interface='" + managerInterface + "',member='UnitNew'"

// unitPath returns a unit's object path: every byte of its name but letters
// and digits is written as _ and two hexadecimal digits
// (https://www.freedesktop.org/wiki/Software/systemd/dbus, "escaping").
func unitPath(name string) dbus.ObjectPath {
	var path strings.Builder
	path.WriteString(string(managerPath) + "/unit/")
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 0 && c >= '0' && c <= '9':
			path.WriteByte(c)
		default:
			fmt.Fprintf(&path, "_%02x", c)
		}
	}
	return dbus.ObjectPath(path.String())
}

// Signal takes one signal of the manager, and tells whether it has to do with
// the targets.
func (r *Reconciler) Signal(signal *dbus.Signal) bool {
	switch signal.Name {
	case "org.freedesktop.DBus.NameOwnerChanged":
		owner, _ := signal.Body[2].(string)
		r.ownerChanged(owner)
	case managerInterface + ".Reloading":
		r.reloading(signal)
	case managerInterface + ".JobRemoved":
		r.jobRemoved(signal)
	case managerInterface + ".UnitNew":
		return r.unitNew(signal)
	case propertiesInterface + ".PropertiesChanged":
		r.propertiesChanged(signal)
	}
	return true
}

// ownerChanged starts afresh with a new manager. A manager that re-executes
// itself changes its unique name, and calls in flight are never answered.
func (r *Reconciler) ownerChanged(owner string) {
	if owner == r.owner && owner != "" {
		r.list() // signals were lost
		return
	}
	r.owner, r.listed, r.leaving, r.complained = owner, false, false, false
	r.listing++
	for _, u := range r.units {
		u.job, u.refused = nil, ""
	}
	if owner == "" {
		r.later(patience, r.announceAbsence)
		return
	}
	if r.announced {
		r.announced = false
		r.log.Info("the systemd user manager is there")
	}
	r.backoff = firstRetry
	// Without a subscriber the manager does not signal the states of units. An
	// error says that we are one already, or that the manager has gone again.
	r.call(managerInterface+".Subscribe", func(*dbus.Call) {})
	r.list()
}

// announceAbsence says that there is no user manager. At a login the first
// client of the session bus is there before the manager itself.
func (r *Reconciler) announceAbsence() {
	r.announced = true
	r.log.Warn("there is no systemd user manager on the session bus; waiting for one", "next", "loginctl user-status")
}

// reloading takes the end of a reload: units may have come, gone or been
// mended. Those that could not be loaded are only tried again once they can
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

// unitNew takes the name of a unit that the manager has loaded, as it does
// before it starts one (UnitNew(s id, o unit), org.freedesktop.systemd1(5)), and
// tells whether it is one of ours.
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

func (r *Reconciler) isPatterned(name string) bool {
	return slices.ContainsFunc(r.patterns, func(pattern string) bool {
		matched, _ := path.Match(pattern, name) // an error is one of the pattern
		return matched
	})
}

// list reads the states of all managed targets, and finds those that come to be.
func (r *Reconciler) list() {
	r.listing++
	r.leaving = false
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

// takeFound comes to manage the targets that were found, and forgets those that
// are not loaded and not wanted: asking for their states would load them.
func (r *Reconciler) takeFound(call *dbus.Call) {
	var found []listedUnit
	if err := call.Store(&found); err != nil {
		r.log.Warn("the user manager did not list its targets; trying again", "error", err)
		r.listLater()
		return
	}
	loaded := map[string]bool{}
	for _, l := range found {
		loaded[l.Name] = true
		if r.unit(l.Name) == nil {
			r.manage(l.Name)
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

// listLater reads the states anew after a pause that grows with each failure.
func (r *Reconciler) listLater() {
	r.later(r.backoff, r.list)
	r.backoff = min(2*r.backoff, lastRetry)
}

// later does something on the owner's goroutine after a pause, unless the
// states are read, or the manager changes, before.
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

// listedUnit is an element of ListUnitsByNames' answer
// (org.freedesktop.systemd1(5), ListUnits).
type listedUnit struct {
	Name, Description string
	Load, Active, Sub string
	Following         string
	Path              dbus.ObjectPath
	JobID             uint32
	JobType           string
	JobPath           dbus.ObjectPath
}

func (r *Reconciler) takeList(call *dbus.Call) {
	var listed []listedUnit
	err := call.Store(&listed)
	if err == nil {
		err = r.missing(listed)
	}
	if err != nil {
		r.log.Warn("the user manager did not list its targets; trying again", "error", err)
		r.listLater()
		return
	}
	r.backoff = firstRetry
	r.listed = true
	for _, l := range listed {
		if u := r.unit(l.Name); u != nil {
			u.takeListed(l, call.ResponseSequence)
			r.meet(u)
		}
	}
	r.reconcile()
	r.checkWaiting() // the end of a job may be among what was lost
}

// missing says which target is not in a list. The manager lists all that it is
// asked for, also those that it has no file of.
func (r *Reconciler) missing(listed []listedUnit) error {
	for _, u := range r.units {
		if !slices.ContainsFunc(listed, func(l listedUnit) bool { return l.Name == u.name }) {
			return fmt.Errorf("%s is not in the list", u.name)
		}
	}
	return nil
}

// takeListed takes what a list says of a target, unless a signal that came
// after it has been taken already.
func (u *unit) takeListed(l listedUnit, sequence dbus.Sequence) {
	if l.Load != u.load {
		// What was refused is worth another try.
		u.load, u.refused = l.Load, ""
	}
	u.conflicts = nil
	if u.sequence > sequence {
		return
	}
	u.sequence = sequence
	u.active, u.queued = l.Active, ""
	if l.JobID != 0 {
		u.queued = l.JobPath
	}
	if u.job != nil && u.job.path != "" && u.job.path != u.queued && u.job.answered < sequence {
		u.job = nil // its end was not heard
	}
}

// propertiesChanged takes a target's new state. Targets also signal changes
// that say nothing of interest.
func (r *Reconciler) propertiesChanged(signal *dbus.Signal) {
	u := r.unitAt(signal.Path)
	if u == nil {
		return
	}
	changed, err := changedProperties(signal.Body)
	if err == nil {
		err = u.take(changed)
	}
	if err != nil {
		r.nonsense(signal, err)
		return
	}
	u.sequence = signal.Sequence
	r.meet(u)
	r.reconcile()
}

// meet notes that a target is active of which nothing was said yet.
func (r *Reconciler) meet(u *unit) {
	if !u.managed && u.isActive() && !slices.Contains(r.strays, u.name) {
		r.strays = append(r.strays, u.name)
	}
}

// nonsense reads the states anew after a signal that cannot be understood. The
// log is told once of each manager: one that talks nonsense does so often.
func (r *Reconciler) nonsense(signal *dbus.Signal, err error) {
	if !r.complained {
		r.complained = true
		r.log.Warn("reading the targets anew: a signal of the user manager made no sense", "signal", signal.Name, "path", signal.Path, "error", err)
	}
	r.list()
}

func (r *Reconciler) unitAt(path dbus.ObjectPath) *unit {
	for _, u := range r.units {
		if u.path == path {
			return u
		}
	}
	return nil
}

// changedProperties returns the changed properties of the Unit interface in a
// PropertiesChanged body, which is interface, changed properties, names of
// invalidated ones.
func changedProperties(body []any) (map[string]dbus.Variant, error) {
	// dbus.Store would turn a number into a string, and dbus.SignatureOf panics
	// on types that it has no signature for.
	if len(body) != 3 {
		return nil, fmt.Errorf("it has %d arguments", len(body))
	}
	iface, isString := body[0].(string)
	changed, isMap := body[1].(map[string]dbus.Variant)
	_, isList := body[2].([]string)
	if !isString || !isMap || !isList {
		return nil, fmt.Errorf("its arguments are %T, %T and %T", body[0], body[1], body[2])
	}
	if iface != unitInterface {
		return nil, nil
	}
	return changed, nil
}

// take takes a unit's changed properties: ActiveState (s) and Job (uo: its id,
// 0 where there is none, and path).
func (u *unit) take(changed map[string]dbus.Variant) error {
	if v, ok := changed["ActiveState"]; ok {
		active, ok := v.Value().(string)
		if !ok {
			return fmt.Errorf("property ActiveState has type %s", v.Signature())
		}
		u.active = active
	}
	if v, ok := changed["Job"]; ok {
		id, path, ok := idAndPath(v.Value())
		if !ok {
			return fmt.Errorf("property Job is %s", v)
		}
		u.queued = ""
		if id != 0 {
			u.queued = path
		}
	}
	return nil
}

// idAndPath takes a D-Bus structure (uo) apart, which godbus decodes as a slice.
func idAndPath(structure any) (id uint32, path dbus.ObjectPath, ok bool) {
	fields, ok := structure.([]any)
	if !ok || len(fields) != 2 {
		return 0, "", false
	}
	id, isID := fields[0].(uint32)
	path, isPath := fields[1].(dbus.ObjectPath)
	return id, path, isID && isPath
}

// allProperties takes the answer of GetAll. dbus.Store panics on types that it
// has no signature for.
func allProperties(call *dbus.Call) (map[string]dbus.Variant, error) {
	if call.Err != nil {
		return nil, call.Err
	}
	if len(call.Body) == 1 {
		if all, ok := call.Body[0].(map[string]dbus.Variant); ok {
			return all, nil
		}
	}
	return nil, errors.New("the answer holds no properties")
}
