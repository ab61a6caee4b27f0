package observers

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Damping decides when the readings of one switch become its position. A set is
// damped word by word, so that one that comes and goes does not keep others
// waiting.
type Damping struct {
	now   func() time.Time
	isSet bool
	// whole damps the position. For a set, it damps only whether the position is
	// known.
	whole Damper
	// words are the dampers of a set's words that matter.
	words map[string]*Damper
	// latest is the latest reading of a set.
	latest Reading
}

// Damping returns a new damping of the switch, which reads the time from a clock.
func (s Switch) Damping(now func() time.Time) Damping {
	return Damping{now: now, isSet: s.HasTemplate(), whole: NewDamper(now), words: map[string]*Damper{}}
}

// words returns the words of a set's position.
func words(position string) []string {
	if position == None {
		return nil
	}
	return strings.Fields(position)
}

// Adopt starts from the position in which the machine was found.
func (d *Damping) Adopt(position string) {
	if !d.isSet {
		d.whole.Adopt(position)
		return
	}
	d.whole.Adopt(None)
	clear(d.words)
	for _, word := range words(position) {
		d.add(word).Adopt(word)
	}
}

func (d *Damping) add(word string) *Damper {
	damper := NewDamper(d.now)
	d.words[word] = &damper
	return &damper
}

// Present returns the position that counts, and reports whether there is one yet.
func (d *Damping) Present() (position string, known bool) {
	position, known = d.whole.Present()
	if !d.isSet || position == Unknown {
		return position, known
	}
	var present []string
	for word, damper := range d.words {
		if one, _ := damper.Present(); one == word {
			present = append(present, word)
		}
	}
	if len(present) == 0 {
		return None, known
	}
	slices.Sort(present)
	return strings.Join(present, " "), known
}

// all returns the dampers.
func (d *Damping) all() []*Damper {
	return slices.AppendSeq([]*Damper{&d.whole}, maps.Values(d.words))
}

// Pending returns the reading that waits to be taken, or nil.
func (d *Damping) Pending() *Reading {
	for _, damper := range d.all() {
		if pending := damper.Pending(); pending != nil && d.isSet {
			return &d.latest
		} else if pending != nil {
			return pending
		}
	}
	return nil
}

// Offer offers a new reading. It counts once [Damping.Take] returns it.
func (d *Damping) Offer(r Reading) {
	if !d.isSet {
		d.whole.Offer(r)
		return
	}
	d.latest = r
	whole := r
	if r.Position != Unknown {
		whole = Reading{Position: None}
	}
	_, isKnown := d.whole.Present()
	d.whole.Offer(whole)
	there := words(r.Position)
	for _, word := range there {
		if d.words[word] == nil {
			if damper := d.add(word); isKnown {
				damper.Adopt(None)
			}
		}
	}
	for word, damper := range d.words {
		part := Reading{Position: None, Urgent: r.Urgent}
		switch {
		case slices.Contains(there, word):
			part.Position = word
		case !slices.Contains(r.Gone, word):
			part.Grace, part.GraceOnlyFrom = r.Grace, r.GraceOnlyFrom
		}
		damper.Offer(part)
		if damper.isForgettable() {
			delete(d.words, word)
		}
	}
}

// isForgettable reports whether a word has been missing for so long that its history
// no longer matters.
func (d *Damper) isForgettable() bool {
	return d.known && d.present == None && d.pending == nil &&
		(len(d.changes) == 0 || d.now().Sub(d.changes[len(d.changes)-1]) > stormWindow)
}

// Decide makes those pending readings due that wait only because they put the present
// position in doubt. The caller knows that the switch has left this position already.
func (d *Damping) Decide() {
	for _, damper := range d.all() {
		damper.Decide()
	}
}

// Due returns when the next pending reading is due, and reports whether there is one.
func (d *Damping) Due() (due time.Time, waiting bool) {
	for _, damper := range d.all() {
		if at, waits := damper.Due(); waits && (!waiting || at.Before(due)) {
			due, waiting = at, true
		}
	}
	return due, waiting
}

// Take applies the pending readings that are due to the present position. It returns
// the reading of that position, and reports whether the position has changed.
func (d *Damping) Take() (taken Reading, moved bool) {
	if !d.isSet {
		return d.whole.Take()
	}
	before, wasKnown := d.Present()
	for _, damper := range d.all() {
		damper.Take()
	}
	after, isKnown := d.Present()
	taken = d.latest
	taken.Position = after
	return taken, isKnown && (!wasKnown || after != before)
}
