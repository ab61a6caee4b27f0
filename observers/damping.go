package observers

import (
	"slices"
	"time"
)

const (
	// Successive graces together last at most this many times as long as the first. A
	// service that is away gets only one.
	mostGraces = 3

	// systemd's start limit leaves a service failed at its sixth start in ten
	// seconds (DefaultStartLimitBurst= and DefaultStartLimitIntervalSec= in
	// systemd-user.conf(5)). A switch that changes more than stormChanges times in
	// stormWindow is therefore held until it has been still for stormStill, or has
	// been held for stormLongest.
	stormChanges = 3
	stormWindow  = 10 * time.Second
	stormStill   = 2 * time.Second
	stormLongest = 10 * time.Second
)

// Damper decides when readings become a position. [NewDamper] returns one for what
// has not been read yet. The damper of a switch is a [Damping].
type Damper struct {
	now func() time.Time

	present string
	known   bool

	heard   bool        // whether there was a reading
	latest  string      // position of the latest reading that needed no grace
	changes []time.Time // when that changed, within stormWindow
	storm   time.Time   // since when the switch is held; zero if it is not

	pending *Reading
	since   time.Time // since when readings have waited
	limit   time.Time // until when they may, whatever follows
	due     time.Time
}

// NewDamper returns a damper that reads the time from a clock.
func NewDamper(now func() time.Time) Damper { return Damper{now: now} }

// Adopt starts from the position in which the machine was found.
func (d *Damper) Adopt(position string) {
	d.present, d.known = position, true
	d.latest, d.heard = position, true
	if d.pending != nil && d.pending.Position == position {
		d.pending = nil // the switch is already in it
	}
}

// Present returns the position that counts, and reports whether there is one yet.
func (d *Damper) Present() (position string, known bool) {
	return d.present, d.known
}

// Pending returns the reading that waits to be taken, or nil.
func (d *Damper) Pending() *Reading {
	return d.pending
}

// Offer offers a new reading. It counts once [Damper.Take] returns it.
func (d *Damper) Offer(r Reading) {
	now, wait := d.now(), r.Grace
	if r.GraceOnlyFrom != "" && !d.protects(r) {
		wait = 0
	}
	if wait == 0 || r.Position == d.present {
		d.note(now, r.Position)
	}
	if d.known && r.Position == d.present {
		d.pending = nil
		return
	}
	if d.pending != nil && d.pending.isLike(r) {
		return
	}
	if d.pending == nil {
		d.since, d.limit = now, now
	}
	longest := wait
	if r.GraceOnlyFrom != "" {
		longest = mostGraces * wait
	}
	d.limit = later(d.limit, d.since.Add(longest))
	d.due = earlier(now.Add(wait), d.limit)
	if !d.storm.IsZero() && !r.Urgent {
		d.due = later(d.due, earlier(now.Add(stormStill), d.storm.Add(stormLongest)))
	}
	d.pending = &r
}

// protects reports whether the grace of a reading with GraceOnlyFrom protects the present
// position.
func (d *Damper) protects(r Reading) bool {
	return d.known && (r.GraceOnlyFrom == AnyPosition || r.GraceOnlyFrom == d.present)
}

// isLike reports whether two readings say the same for the same reason.
func (r Reading) isLike(other Reading) bool {
	return r.Position == other.Position && r.Reason == other.Reason && r.Grace == other.Grace &&
		r.GraceOnlyFrom == other.GraceOnlyFrom && r.Urgent == other.Urgent
}

// note records a change of the readings.
func (d *Damper) note(now time.Time, position string) {
	d.changes = slices.DeleteFunc(d.changes, func(t time.Time) bool { return now.Sub(t) > stormWindow })
	if d.heard && position != d.latest {
		d.changes = append(d.changes, now)
		// Only the changes that matter are remembered.
		if extra := len(d.changes) - (stormChanges + 1); extra > 0 {
			d.changes = slices.Delete(d.changes, 0, extra)
		}
	}
	d.latest, d.heard = position, true
	switch {
	case len(d.changes) <= stormChanges:
		d.storm = time.Time{}
	case d.storm.IsZero(), d.pending == nil && now.Sub(d.storm) >= stormLongest:
		d.storm = now
	}
}

// Decide makes the pending reading due if it waits only because it puts the present
// position in doubt. The caller knows that the switch has left this position already.
func (d *Damper) Decide() {
	if d.pending == nil || d.pending.Position == Unknown || d.pending.GraceOnlyFrom == "" {
		return
	}
	if d.protects(*d.pending) {
		d.due = earlier(d.due, d.now())
	}
}

// Due returns when the pending reading is due, and reports whether there is one.
func (d *Damper) Due() (due time.Time, waiting bool) {
	return d.due, d.pending != nil
}

// Take makes the pending reading the present position, if it is due. It returns the
// reading, and reports whether it has done so.
func (d *Damper) Take() (taken Reading, moved bool) {
	now := d.now()
	if d.pending == nil || now.Before(d.due) {
		return Reading{}, false
	}
	taken, d.pending = *d.pending, nil
	d.note(now, taken.Position)
	d.present, d.known = taken.Position, true
	if !d.storm.IsZero() {
		d.storm = now
	}
	return taken, true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
