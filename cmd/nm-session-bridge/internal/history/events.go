package history

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
)

// shortestSleep is the smallest difference between the two clocks of an entry that counts
// as sleep. They differ only after a sleep, or if somebody sets the clock.
const shortestSleep = time.Second

// reader turns entries into events.
type reader struct {
	switches []Switch
	// identifier marks the bridge's own entries.
	identifier string
	// lastOf returns the time of a boot's last entry, zero if there is none.
	lastOf func(boot string) (time.Time, error)

	events []Event
	last   journal.Exported
	runs   bool      // whether the bridge runs
	said   time.Time // when the bridge last logged something
}

func (r *reader) read(e journal.Exported) error {
	if err := r.pass(e); err != nil {
		return err
	}
	if e.Text("SYSLOG_IDENTIFIER") == r.identifier {
		r.apply(e)
		return nil
	}
	switch e.Text("MESSAGE_ID") {
	case journal.UnitStarting: // a bridge that ran until now would have logged its end: the user manager was killed
		r.end(r.said)
	case journal.UnitStopping, journal.UnitStopped, journal.UnitFailureResult:
		r.end(e.Time)
	}
	return nil
}

// pass accounts for the time until an entry.
func (r *reader) pass(e journal.Exported) error {
	last := r.last
	r.last = e
	switch {
	case !r.runs:
	case e.Boot != last.Boot: // the power failed
		at, err := r.lastOf(last.Boot)
		if err != nil {
			return err
		}
		r.end(latest(at, r.said))
	default:
		if slept := e.Time.Sub(last.Time) - (e.Monotonic - last.Monotonic); slept >= shortestSleep {
			r.events = append(r.events, Event{Time: e.Time, Slept: slept})
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

// apply handles an entry of the bridge.
func (r *reader) apply(e journal.Exported) {
	r.said, r.runs = e.Time, true
	if e.Text("MESSAGE") == journal.LastWords {
		r.end(e.Time)
		return
	}
	if e.Text("SWITCH") != "" && e.Text("TO") != "" {
		t := transition(e)
		r.events = append(r.events, Event{Time: t.Time, Positions: map[string]string{t.Switch: t.To}, Transition: &t})
		return
	}
	if positions := r.observed(e); len(positions) > 0 {
		r.events = append(r.events, Event{Time: e.Time, Positions: positions})
	}
}

// observed returns the positions that a bridge logs when it starts.
func (r *reader) observed(e journal.Exported) map[string]string {
	positions := map[string]string{}
	for _, s := range r.switches {
		position := e.Text(strings.ToUpper(s.Name))
		if position == Unknown || slices.Contains(s.Positions, position) || s.Open && position != "" {
			positions[s.Name] = position
		}
	}
	return positions
}

// transition returns the transition of an entry, which the bridge logs when the
// transition is over.
func transition(e journal.Exported) Transition {
	micros, err := strconv.ParseInt(e.Text("DURATION_USEC"), 10, 64)
	if err != nil {
		micros = 0 // without a duration, the entry's own time counts
	}
	return Transition{
		Time:   e.Time.Add(-time.Duration(micros) * time.Microsecond),
		Switch: e.Text("SWITCH"), From: e.Text("FROM"), To: e.Text("TO"),
		Reason: e.Text("REASON"), Targets: append([]string{}, e.Fields["TARGET"]...), Result: e.Text("RESULT"),
	}
}
