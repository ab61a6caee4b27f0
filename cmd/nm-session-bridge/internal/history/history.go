// Package history reads the switches' past from the journal and shows it.
package history

import (
	"slices"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Unknown stands for the position of a switch while nothing is known about it.
const Unknown = observers.UnknownWord

// Switch describes a switch whose past is shown.
type Switch struct {
	Name string
	// Positions are in the order of the legend, with the desired one first.
	Positions []string
	// Open is set if there may be other positions. These come before the listed ones,
	// in the order in which they occur.
	Open bool
	// Suspends is the position in which the machine sleeps, if there is one. Nothing is
	// known about the other switches then, unless the switch is only held in that
	// position by hand.
	Suspends string
}

// Window is a period of time.
type Window struct{ Since, Until time.Time }

// Event is a moment at which the knowledge about switches changes.
type Event struct {
	Time time.Time
	// Positions are the new positions by switch, or [Unknown]. Other switches keep
	// theirs.
	Positions map[string]string
	// Transition is set if the event is a transition.
	Transition *Transition
	// Ended is set if the bridge stops here.
	Ended bool
	// Slept is how long the machine slept before this moment.
	Slept time.Duration
}

// Transition is a change of a switch's position.
type Transition struct {
	// Time is when the switch moved; its targets followed.
	Time   time.Time `json:"time"`
	Switch string    `json:"switch"`
	// From and To are positions or [Unknown].
	From string `json:"from"`
	To   string `json:"to"`
	// Reason gives the raw values that were read, by name.
	Reason  string   `json:"reason"`
	Targets []string `json:"targets"`
	// Result says why some targets failed to start or stop, if any did.
	Result string `json:"result,omitempty"`
}

// History is the past of some switches.
type History struct {
	Window
	Rows        []Row
	Transitions []Transition
}

// Row is the past of a switch.
type Row struct {
	Switch
	// Spans are in chronological order and do not overlap. Nothing is known about the
	// time between them.
	Spans []Span
}

// Span is a period in which a switch had one position.
type Span struct {
	Position string
	Window
}

// Lasted returns the window's length.
func (w Window) Lasted() time.Duration { return w.Until.Sub(w.Since) }

// cut returns the part of the window that lies in another one. Its length is zero or
// negative if there is none.
func (w Window) cut(other Window) Window {
	w.Since = latest(w.Since, other.Since)
	if w.Until.After(other.Until) {
		w.Until = other.Until
	}
	return w
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Build makes a history from events, which must be in the order in which they were
// logged. If the clock was set back in between, the repeated time belongs to the
// earlier position.
func Build(events []Event, switches []Switch, window Window) History {
	rows := make([]*rowBuilder, len(switches))
	for i, s := range switches {
		rows[i] = &rowBuilder{Row: Row{Switch: s}}
	}
	told := History{Window: window}
	for _, e := range events {
		for _, row := range rows {
			row.apply(e)
		}
		if t := e.Transition; t != nil && !t.Time.Before(window.Since) && !t.Time.After(window.Until) {
			told.Transitions = append(told.Transitions, *t)
		}
	}
	var asleep []Span
	for _, row := range rows {
		row.close(window.Until)
		asleep = append(asleep, row.asleep...)
	}
	for _, row := range rows {
		if row.Suspends == "" {
			row.without(asleep)
		}
		row.clip(window)
		row.complete()
		told.Rows = append(told.Rows, row.Row)
	}
	return told
}

// Of returns the history of one switch.
func (h History) Of(name string) History {
	h.Rows = slices.DeleteFunc(slices.Clone(h.Rows), func(r Row) bool { return r.Name != name })
	h.Transitions = slices.DeleteFunc(slices.Clone(h.Transitions), func(t Transition) bool { return t.Switch != name })
	return h
}

// Known returns the history without the switches about which nothing is known.
func (h History) Known() History {
	h.Rows = slices.DeleteFunc(slices.Clone(h.Rows), func(r Row) bool { return len(r.Spans) == 0 })
	return h
}

// first returns the first moment at which a position is known.
func (h History) first() (first time.Time, known bool) {
	for _, row := range h.Rows {
		if len(row.Spans) > 0 && (!known || row.Spans[0].Since.Before(first)) {
			first, known = row.Spans[0].Since, true
		}
	}
	return first, known
}

// IsEmpty reports whether nothing is known about any switch.
func (h History) IsEmpty() bool {
	return len(h.Known().Rows) == 0
}

// Seconds returns how long each position lasted in total, and how long none was known,
// in seconds with three decimals.
func (r Row) Seconds(window Window) map[string]float64 {
	seconds := map[string]float64{}
	for _, position := range append(slices.Clone(r.Positions), Unknown) {
		seconds[position] = float64(r.total(position, window).Round(time.Millisecond).Milliseconds()) / 1000
	}
	return seconds
}

func (r Row) total(position string, window Window) time.Duration {
	var total time.Duration
	if position == Unknown {
		total = window.Lasted()
	}
	for _, s := range r.Spans {
		switch position {
		case s.Position:
			total += s.Lasted()
		case Unknown:
			total -= s.Lasted()
		}
	}
	return total
}

// times returns how often the switch is known to have entered a position.
func (r Row) times(position string) int {
	times := 0
	for i, s := range r.Spans {
		if s.Position == position && (i == 0 || r.Spans[i-1].Position != position) {
			times++
		}
	}
	return times
}

// rowBuilder makes a row from events.
type rowBuilder struct {
	Row
	open Span // its end is not known yet; no position if none is known
	// announced reports whether a service, and not a person, caused the open position.
	// asleep is when the machine slept according to such positions.
	announced bool
	asleep    []Span
}

func (r *rowBuilder) apply(e Event) {
	if e.Slept > 0 && (r.Suspends == "" || r.open.Position != r.Suspends) {
		position := r.open.Position
		r.close(e.Time.Add(-e.Slept))
		r.move(position, e.Time)
	}
	if e.Ended {
		r.close(e.Time)
	}
	if position, moved := e.Positions[r.Name]; moved && position != r.open.Position {
		at := latest(e.Time, r.open.Since)
		r.close(at)
		r.move(position, at)
		r.announced = e.Transition != nil && e.Transition.Reason != client.HeldByHand
	}
}

// move begins a span, but not before the end of the last one.
func (r *rowBuilder) move(position string, at time.Time) {
	if position == Unknown {
		position = ""
	}
	if n := len(r.Spans); n > 0 {
		at = latest(at, r.Spans[n-1].Until)
	}
	r.open = Span{position, Window{Since: at}}
}

func (r *rowBuilder) close(at time.Time) {
	if r.open.Position != "" && at.After(r.open.Since) {
		r.open.Until = at
		r.Spans = append(r.Spans, r.open)
		if r.announced && r.open.Position == r.Suspends {
			r.asleep = append(r.asleep, r.open)
		}
	}
	r.open = Span{}
}

// without removes periods from the row.
func (r *rowBuilder) without(others []Span) {
	for _, other := range others {
		var rest []Span
		for _, s := range r.Spans {
			before := Span{s.Position, s.cut(Window{s.Since, other.Since})}
			after := Span{s.Position, s.cut(Window{other.Until, s.Until})}
			for _, part := range []Span{before, after} {
				if part.Lasted() > 0 {
					rest = append(rest, part)
				}
			}
		}
		r.Spans = rest
	}
}

func (r *rowBuilder) clip(window Window) {
	var rest []Span
	for _, s := range r.Spans {
		s.Window = s.cut(window)
		if s.Lasted() > 0 {
			rest = append(rest, s)
		}
	}
	r.Spans = rest
}

// complete adds the positions that occurred to a switch that is [Switch.Open].
func (r *rowBuilder) complete() {
	if !r.Open {
		return
	}
	var more []string
	for _, s := range r.Spans {
		if !slices.Contains(r.Positions, s.Position) && !slices.Contains(more, s.Position) {
			more = append(more, s.Position)
		}
	}
	r.Positions = append(more, r.Positions...)
}
