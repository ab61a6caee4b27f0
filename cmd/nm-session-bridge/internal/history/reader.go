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
	last   journal.Exported
	runs   bool      // whether the bridge does
	said   time.Time // when it last said something
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
	case journal.UnitStarting: // had one run until now, its end would have been told: the user manager was killed
		r.end(r.said)
	case journal.UnitStopping, journal.UnitStopped, journal.UnitFailureResult:
		r.end(e.Time)
	}
	return nil
}

// pass lets the time pass until an entry.
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

// apply takes an entry of the bridge.
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

// observed returns the positions that a bridge logs when it begins.
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

// transition is that of an entry, which is logged when it is over.
func transition(e journal.Exported) Transition {
	micros, err := strconv.ParseInt(e.Text("DURATION_USEC"), 10, 64)
	if err != nil {
		micros = 0 // then the time is that of the entry
	}
	return Transition{
		Time:   e.Time.Add(-time.Duration(micros) * time.Microsecond),
		Switch: e.Text("SWITCH"), From: e.Text("FROM"), To: e.Text("TO"),
		Reason: e.Text("REASON"), Targets: append([]string{}, e.Fields["TARGET"]...), Result: e.Text("RESULT"),
	}
}
