package systemdctl

import (
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

// unit is the state of one managed target.
type unit struct {
	name        string
	path        dbus.ObjectPath
	rivals      []*unit  // give way if something else starts it, as it does for them
	starters    []string // other targets that start it
	unsubscribe []func() // end its match rules

	load, active string          // "" until the manager has said
	queued       dbus.ObjectPath // the manager's job for it, ours or not; "" if there is none
	sequence     dbus.Sequence   // of the message that said so
	changed      dbus.Sequence   // of the message that said that it had become active or inactive, or that its job was canceled

	decided     bool // whether Want has said if the target is wanted
	wanted      bool
	settled     bool        // whether it has been as wanted since the last decision
	job         *job        // our job, until its end is known
	overtaken   *job        // our start that one of our other starts cancels, unless it ends first; until its end is known
	displaced   bool        // whether a start of ours is stopping it, even if the manager has not said so yet
	refused     string      // why no start or stop is tried again
	corrections []time.Time // when it was moved back after something else had moved it
	gaveUp      bool        // whether it was moved back too often, so that it is left alone

	// pause is how long it was last left alone, until pauseEnd; stopPause ends that.
	pause     time.Duration
	pauseEnd  time.Time
	stopPause func()

	// maybeUnused reports whether perhaps nothing that it wants has run. searches
	// counts how often that was checked.
	maybeUnused bool
	searches    int

	followings int // counts how often it was asked which services start with it

	activation int      // counts how often it has settled as active
	reviving   []func() // end the waits for services that may start again later

	// conflicts are the units that its start stops; nil until the manager has
	// named them.
	conflicts []string
}

// isDecided reports whether the target's wanted state and its present state are
// both known.
func (u *unit) isDecided() bool { return u.decided && u.load != "" }

func (u *unit) isActive() bool { return u.active == "active" }

func (u *unit) isQueued() bool { return u.queued != "" }

// isStray reports whether the target is active although nobody has decided
// whether it is wanted.
func (u *unit) isStray() bool { return !u.decided && u.isActive() }

// needsStart reports whether a start job is missing.
func (u *unit) needsStart() bool {
	return u.isDecided() && u.wanted && (u.displaced || !u.mayBecomeActive()) && !u.gaveUp && u.refused == ""
}

// isStarting reports whether a start job of ours is unfinished.
func (u *unit) isStarting() bool { return u.job != nil && u.job.verb == start }

// isStopping reports whether a stop job of ours is unfinished.
func (u *unit) isStopping() bool { return u.job != nil && u.job.verb == stop }

// mayBecomeActive reports whether a unit is active or becoming active. An
// inactive target with a job waits for the units that it wants. Another start
// would run those again.
func (u *unit) mayBecomeActive() bool {
	if u.job != nil {
		return u.job.verb == start
	}
	return u.isActive() || u.isQueued()
}

func (u *unit) giveAnotherChance() {
	u.refused, u.gaveUp, u.corrections = "", false, nil
	u.endPause()
}

func (u *unit) endPause() {
	if u.stopPause != nil {
		u.stopPause()
		u.stopPause = nil
	}
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

// forget stops managing a target.
func (r *Reconciler) forget(u *unit) {
	u.stopReviving()
	u.endPause()
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
