package observers

import (
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// unproven is the grace of a reading that does not prove that the screen was
// locked or unlocked: longer than any program runs.
const unproven = 10 * 365 * 24 * time.Hour

// lock returns a reader of the lock switch, which remembers the session that it
// has read last.
func lock(Policy) Reader {
	var last lastSession
	return func(snapshot Snapshot) Reading {
		facts := snapshot[session]
		switch {
		case facts.Problem != "":
			return untold(facts.Problem)
		case len(facts.Children()) == 0:
			last.ends()
			return untold("the user has no display session")
		}
		display := facts.Children()[0]
		return readSession(display, last.isFollowedBy(display.Path))
	}
}

// untold is the reading of a lock about which logind says nothing. The switch keeps
// its position, however long that lasts: silence unlocks nothing, and stopping
// lock.target would end the locker.
func untold(why string) Reading {
	return Reading{Reason: why, GraceOnlyFrom: AnyPosition, Grace: unproven}
}

// readSession reads the lock from a session; isAnother says that the one before
// was not the same. A Lock is only a request, but lockers that are units begin
// with it, and many never set LockedHint.
func readSession(display Facts, isAnother bool) Reading {
	hint, known := display.Bool("LockedHint")
	said, hasSaid := display.Bool(saidLast)
	switch {
	case hasSaid:
		reading := lockReading(said, fmt.Sprintf("Locked=%t LockedHint=%t", said, hint))
		reading.Request = display.Request()
		return reading
	case !known:
		return untold("logind does not report LockedHint")
	}
	reading := lockReading(hint, fmt.Sprintf("LockedHint=%t", hint))
	if !hint && !isAnother {
		// Stopping lock.target would end a locker that does not set it.
		reading.GraceOnlyFrom, reading.Grace = "locked", unproven
	}
	return reading
}

func lockReading(locked bool, reason string) Reading {
	if locked {
		return Reading{Position: "locked", Reason: reason, Urgent: true}
	}
	return Reading{Position: "unlocked", Reason: reason, Urgent: true}
}

// lastSession remembers the session that was read last.
type lastSession struct {
	path dbus.ObjectPath // of the last one that there was; empty if there was none
	// isNone says that it was already read that there was none.
	isNone bool
}

// isFollowedBy notes a session and reports whether it is another one than the last,
// or the first after none.
func (l *lastSession) isFollowedBy(path dbus.ObjectPath) bool {
	isAnother := l.path != path && (l.path != "" || l.isNone)
	*l = lastSession{path: path}
	return isAnother
}

// ends notes that there is no session.
func (l *lastSession) ends() { l.isNone = l.path == "" }
