package history

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
)

// shortestSleep is by how much two clocks must differ for the machine to have
// slept: an entry has both, and only sleep, or somebody who sets the clock,
// drives them apart.
const shortestSleep = time.Second

// reader makes events of entries.
type reader struct {
	switches []Switch
	// identifier is what the bridge's own entries are known by.
	identifier string
	// lastOf returns the last sign of life of a boot, zero if there is none.
	lastOf func(boot string) (time.Time, error)

	events []Event
	last   entry
	runs   bool      // whether the bridge does
	said   time.Time // when it last said something
}

func (r *reader) read(e entry) error {
	if err := r.pass(e); err != nil {
		return err
	}
	if e.text("SYSLOG_IDENTIFIER") == r.identifier {
		r.apply(e)
		return nil
	}
	switch e.text("MESSAGE_ID") {
	case unitStarting: // had one run until now, its end would have been told: the user manager was killed
		r.end(r.said)
	case unitStopping, unitStopped, unitFailed:
		r.end(e.at)
	}
	return nil
}

// pass lets the time pass until an entry.
func (r *reader) pass(e entry) error {
	last := r.last
	r.last = e
	switch {
	case !r.runs:
	case e.boot != last.boot: // the power failed
		at, err := r.lastOf(last.boot)
		if err != nil {
			return err
		}
		r.end(latest(at, r.said))
	default:
		if slept := e.at.Sub(last.at) - (e.monotonic - last.monotonic); slept >= shortestSleep {
			r.events = append(r.events, Event{Time: e.at, Slept: slept})
		}
	}
	return nil
}

func (r *reader) end(at time.Time) {
	if r.runs {
		r.events = append(r.events, Event{Time: at, Ended: true})
	}
	r.runs = false
}

// apply takes an entry of the bridge.
func (r *reader) apply(e entry) {
	r.said, r.runs = e.at, true
	if e.text("MESSAGE") == journal.LastWords {
		r.end(e.at)
		return
	}
	if e.text("SWITCH") != "" && e.text("TO") != "" {
		t := transition(e)
		r.events = append(r.events, Event{Time: t.Time, Positions: map[string]string{t.Switch: t.To}, Transition: &t})
		return
	}
	if positions := r.observed(e); len(positions) > 0 {
		r.events = append(r.events, Event{Time: e.at, Positions: positions})
	}
}

// observed returns the positions that a bridge logs when it begins.
func (r *reader) observed(e entry) map[string]string {
	positions := map[string]string{}
	for _, s := range r.switches {
		position := e.text(strings.ToUpper(s.Name))
		if position == Unknown || slices.Contains(s.Positions, position) || s.Open && position != "" {
			positions[s.Name] = position
		}
	}
	return positions
}

// transition is that of an entry, which is logged when it is over.
func transition(e entry) Transition {
	micros, err := strconv.ParseInt(e.text("DURATION_USEC"), 10, 64)
	if err != nil {
		micros = 0 // then the time is that of the entry
	}
	return Transition{
		Time:   e.at.Add(-time.Duration(micros) * time.Microsecond),
		Switch: e.text("SWITCH"), From: e.text("FROM"), To: e.text("TO"),
		Reason: e.text("REASON"), Targets: append([]string{}, e.fields["TARGET"]...), Result: e.text("RESULT"),
	}
}
