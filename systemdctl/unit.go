package systemdctl

import (
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

// unit is what is known about one managed target.
type unit struct {
	name        string
	path        dbus.ObjectPath
	yields      bool     // whether it stays where something else moves it
	unsubscribe []func() // end its match rules

	load, active string          // "" until the manager has told
	queued       dbus.ObjectPath // the manager's job for it, anyone's; "" where there is none
	sequence     dbus.Sequence   // of the message that said so

	decided     bool // whether Want has said if the target is wanted
	wanted      bool
	settled     bool        // whether it has been as wanted since that was last decided
	job         *job        // ours, until its end is known
	displaced   bool        // whether a start of ours is stopping it, also where the manager has not told yet
	refused     string      // why starting or stopping it is not tried again
	corrections []time.Time // when it was put right after something else moved it
	gaveUp      bool        // whether that happened too often

	activation int      // counts how often it has settled as active
	reviving   []func() // end the waits until services that it wants may start again

	// conflicts are the units that its start stops; nil until the manager has
	// told.
	conflicts []string
}

// isDecided reports whether it is known both whether the target is wanted and
// how it is.
func (u *unit) isDecided() bool { return u.decided && u.load != "" }

func (u *unit) isActive() bool { return u.active == "active" }

func (u *unit) isQueued() bool { return u.queued != "" }

// isStray reports whether the target is active though nobody has said whether
// it is wanted.
func (u *unit) isStray() bool { return !u.decided && u.isActive() }

// needsStart reports whether a start job is missing.
func (u *unit) needsStart() bool {
	return u.isDecided() && u.wanted && (u.displaced || !u.mayBecomeActive()) && !u.gaveUp && u.refused == ""
}

// isStarting reports whether a start job of ours is on the way.
func (u *unit) isStarting() bool { return u.job != nil && u.job.verb == start }

// isStopping reports whether a stop job of ours is on the way.
func (u *unit) isStopping() bool { return u.job != nil && u.job.verb == stop }

// mayBecomeActive reports whether a unit is active or on its way to be. An
// inactive target with a job is on its way up, held back by what it wants:
// asking for it again would run that again.
func (u *unit) mayBecomeActive() bool {
	if u.job != nil {
		return u.job.verb == start
	}
	return u.isActive() || u.isQueued()
}

func (u *unit) giveAnotherChance() {
	u.refused, u.gaveUp, u.corrections = "", false, nil
}

// manage begins to manage one more target.
func (r *Reconciler) manage(name string) *unit {
	u := &unit{name: name, path: unitPath(name)}
	r.units = append(r.units, u)
	for _, rule := range rules(name) {
		u.unsubscribe = append(u.unsubscribe, r.manager.Listen(rule))
	}
	return u
}

// forget ends the managing of a target.
func (r *Reconciler) forget(u *unit) {
	u.stopReviving()
	for _, unsubscribe := range u.unsubscribe {
		unsubscribe()
	}
	r.units = slices.DeleteFunc(r.units, func(other *unit) bool { return other == u })
}

func (r *Reconciler) unit(name string) *unit {
	for _, u := range r.units {
		if u.name == name {
			return u
		}
	}
	return nil
}

func (r *Reconciler) unitAt(path dbus.ObjectPath) *unit {
	for _, u := range r.units {
		if u.path == path {
			return u
		}
	}
	return nil
}
