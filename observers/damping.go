package observers

import (
	"slices"
	"time"
)

const (
	// A doubt that is followed by others lasts in all at most this many times
	// as long as the first was to. A service that is away has one chance.
	longestDoubt = 3

	// systemd's start limit leaves a service failed after its sixth start in
	// ten seconds (DefaultStartLimitBurst= and DefaultStartLimitIntervalSec= in
	// systemd-user.conf(5)). A switch that flaps faster than stormChanges in
	// stormWindow is therefore held until it has been still for stormStill, or
	// has been held for stormLongest.
	stormChanges = 3
	stormWindow  = 10 * time.Second
	stormStill   = 2 * time.Second
	stormLongest = 10 * time.Second
)

// Damper decides when the readings of one switch become its position. It has
// no clock of its own: the caller tells the time. The zero value is a switch
// that nothing has been said of yet.
type Damper struct {
	present string
	known   bool

	heard   bool        // whether there was a reading
	latest  string      // position of the latest reading that did not have to wait
	changes []time.Time // when that changed, within stormWindow
	storm   time.Time   // since when the switch is held; zero when it is not

	pending *Reading
	since   time.Time // since when readings wait
	limit   time.Time // until when they may, whatever follows
	due     time.Time
}

// Adopt starts from a position that the machine was found in.
func (d *Damper) Adopt(position string) {
	d.present, d.known = position, true
	d.latest, d.heard = position, true
	if d.pending != nil && d.pending.Position == position {
		d.pending = nil // it is so already
	}
}

// Present returns the position that counts, and whether there is one yet.
func (d *Damper) Present() (position string, known bool) {
	return d.present, d.known
}

// Pending returns the reading that waits to be taken, or nil.
func (d *Damper) Pending() *Reading {
	return d.pending
}

// Offer brings a new reading.
func (d *Damper) Offer(now time.Time, r Reading) {
	wait := r.After
	if r.Doubts != "" && !d.isDoubted(r) {
		wait = 0
	}
	if wait == 0 || r.Position == d.present {
		d.note(now, r.Position)
	}
	if d.known && r.Position == d.present {
		d.pending = nil
		return
	}
	if d.pending != nil && d.pending.same(r) {
		return
	}
	if d.pending == nil {
		d.since, d.limit = now, now
	}
	longest := wait
	if r.Doubts != "" {
		longest = longestDoubt * wait
	}
	d.limit = later(d.limit, d.since.Add(longest))
	d.due = earlier(now.Add(wait), d.limit)
	if !d.storm.IsZero() && !r.Urgent {
		d.due = later(d.due, earlier(now.Add(stormStill), d.storm.Add(stormLongest)))
	}
	d.pending = &r
}

// isDoubted tells whether a reading that doubts a position doubts the present one.
func (d *Damper) isDoubted(r Reading) bool {
	return d.known && (r.Doubts == Any || r.Doubts == d.present)
}

// same tells whether two readings say the same for the same reason.
func (r Reading) same(other Reading) bool {
	return r.Position == other.Position && r.Reason == other.Reason && r.After == other.After &&
		r.Doubts == other.Doubts && r.Urgent == other.Urgent
}

// note keeps count of how often the readings change.
func (d *Damper) note(now time.Time, position string) {
	d.changes = slices.DeleteFunc(d.changes, func(t time.Time) bool { return now.Sub(t) > stormWindow })
	if d.heard && position != d.latest {
		d.changes = append(d.changes, now)
		// More than the count that matters need not be remembered.
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

// Decide makes a reading due that only waits because it doubts the present
// position: its caller has found that position left already.
func (d *Damper) Decide(now time.Time) {
	if d.pending != nil && d.pending.Doubts != "" && d.pending.Doubts == d.present {
		d.due = earlier(d.due, now)
	}
}

// Due returns when the pending reading is to be taken, if one is.
func (d *Damper) Due() (time.Time, bool) {
	return d.due, d.pending != nil
}

// Take makes the pending reading the present position once it is due.
func (d *Damper) Take(now time.Time) (Reading, bool) {
	if d.pending == nil || now.Before(d.due) {
		return Reading{}, false
	}
	taken := *d.pending
	d.pending = nil
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
