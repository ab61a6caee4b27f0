package observers

import (
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// unproven is how long a screen counts as locked that nothing says is locked and
// nothing has said was unlocked: for as long as any program runs.
const unproven = 10 * 365 * 24 * time.Hour

// lock reads whether the screen is locked. A Lock is only a request; but lockers
// that are units begin with it, and many never tell logind by LockedHint.
func lock(policy Policy) Reader {
	var last dbus.ObjectPath // the session that was read last; / if there was none before
	return func(snapshot Snapshot) Reading {
		facts := snapshot[session]
		if facts.Problem != "" {
			// Nobody unlocks while logind is away, however long, and stopping
			// lock.target would end the locker.
			return Reading{Reason: facts.Problem, Grace: unproven}
		}
		if len(facts.Children()) == 0 {
			reading := Reading{Reason: "the user has no display session", Grace: policy.GoneGrace}
			if last == "" || last == "/" {
				// A sleep locks also a screen of which logind knows no session.
				last, reading.GraceOnlyFrom, reading.Grace = "/", "locked", unproven
			}
			return reading
		}
		display := facts.Children()[0]
		isAnother := last != "" && display.Path != last
		last = display.Path
		hint, known := display.Bool("LockedHint")
		said, hasSaid := display.Bool(saidLast)
		switch {
		case hasSaid:
			reading := lockReading(said, fmt.Sprintf("Locked=%t LockedHint=%t", said, hint))
			reading.Request = display.Request()
			return reading
		case !known:
			return Reading{Reason: "logind does not tell LockedHint", Grace: policy.GoneGrace}
		}
		reading := lockReading(hint, fmt.Sprintf("LockedHint=%t", hint))
		if !hint && !isAnother {
			// Stopping lock.target would end a locker that does not set it.
			reading.GraceOnlyFrom, reading.Grace = "locked", unproven
		}
		return reading
	}
}

func lockReading(locked bool, reason string) Reading {
	if locked {
		return Reading{Position: "locked", Reason: reason, Urgent: true}
	}
	return Reading{Position: "unlocked", Reason: reason, Urgent: true}
}
