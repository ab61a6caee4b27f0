package observers

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

// unproven is the grace of a reading that does not prove that the screen was
// locked or unlocked: longer than any program runs.
const unproven = 10 * 365 * 24 * time.Hour

// The positions of the lock switch.
const (
	locked   = "locked"
	unlocked = "unlocked"
)

// lock returns a reader of the lock switch, which remembers what it has heard.
func lock() Follower {
	memory := lockMemory{}
	return func(snapshot Snapshot, present Present) Reading {
		facts := snapshot[session]
		if facts.Problem != "" {
			return untold(facts.Problem)
		}
		sessions := facts.Children()
		screens := screensAmong(sessions)
		memory.asked = max(memory.asked, lastRequest(screens), snapshot[logind].Request(prepareForSleep))
		memory = memory.hear(sessions, present)
		switch {
		case len(screens) == 0:
			return untold(noScreens)
		case memory.position == Unknown:
			return untold("logind does not report LockedHint")
		}
		return Reading{Position: memory.position, Reason: lockReason(screens), Ignored: memory.ignored, Urgent: true, Request: lastRequest(screens)}
	}
}

// lockAfter returns what the position of the lock is once its units have ended
// successfully and silently, or if none has run. That is unlocked, unless one of the
// properties of a session says that it is locked. Such a session will say when it no
// longer is. The signal Lock is reason enough only if no unit has run: then something else
// may cover the screen.
func lockAfter(properties ...string) Next {
	return func(snapshot Snapshot) (position string, follows bool) {
		for _, one := range snapshot[session].Children() {
			for _, property := range properties {
				if isLocked, _ := one.Bool(property); isLocked && isScreen(one) {
					return locked, false
				}
			}
		}
		return unlocked, true
	}
}

// untold is the reading of a lock about which logind says nothing. The switch keeps
// its position, however long that lasts: silence unlocks nothing, and a stop of
// lock.target would end the locker.
func untold(why string) Reading {
	return Reading{Reason: why, GraceOnlyFrom: AnyPosition, Grace: unproven}
}

// lockMemory is what the reader of the lock remembers. The zero value has heard
// nothing.
type lockMemory struct {
	position string
	// isLocked holds what each session has said since the switch entered its position.
	isLocked map[dbus.ObjectPath]bool
	// heard is the sequence number up to which each session has been heard; nil before
	// the first reading.
	heard map[dbus.ObjectPath]dbus.Sequence
	// asked is the sequence number of the latest Lock or sleep. Each locks every
	// screen, so an earlier unlock no longer counts.
	asked dbus.Sequence
	// ignored says what was heard last and does not count.
	ignored string
}

// hear returns the memory after it has heard the sessions. If the present position is
// not the remembered one, something else has moved the targets, and nothing that was
// said before counts. A locker may send Unlock whenever it ends, so nothing unlocks
// while one crashes.
func (m lockMemory) hear(sessions []Facts, present Present) lockMemory {
	next := lockMemory{position: present.Position, heard: map[dbus.ObjectPath]dbus.Sequence{}, isLocked: map[dbus.ObjectPath]bool{}, asked: m.asked}
	isFirst := m.heard == nil
	for _, one := range inOrder(sessions) {
		next.heard[one.Path] = one.Latest()
		before, known := m.isLocked[one.Path]
		if known && isScreen(one) && present.Position == m.position && (before || one.Latest() > m.asked) {
			next.isLocked[one.Path] = before
		}
	}
	for _, one := range inOrder(sessions) {
		before, wasHeard := m.heard[one.Path]
		hint, isTold := one.Bool("LockedHint")
		said, hasSaid := one.Bool(saidLast)
		switch {
		case !isScreen(one):
		case hasSaid && !said && one.Latest() > before && present.Position == locked && present.Crashed != "":
			next.ignored = "the signal to unlock came with the crash of " + present.Crashed
		case hasSaid && !said && one.Latest() > before && one.Latest() < m.asked:
			delete(next.isLocked, one.Path) // a later Lock or sleep locked everything
		case hasSaid && (present.Position == Unknown || one.Latest() > before) && (said || one.Latest() > m.asked):
			next = next.with(one.Path, said)
		case isTold && present.Position == Unknown, hint && !wasHeard && !isFirst:
			next = next.with(one.Path, hint)
		case hint && !wasHeard && present.Position == locked:
			next.isLocked[one.Path] = true
		}
		next = next.settled() // a later message may lock the screen again
	}
	return next.settled()
}

// with returns the memory after a session has said whether it is locked.
func (m lockMemory) with(path dbus.ObjectPath, isLocked bool) lockMemory {
	if isLocked && m.position != locked {
		m.position, m.isLocked = locked, map[dbus.ObjectPath]bool{}
	}
	m.isLocked[path] = isLocked
	return m
}

// settled returns the memory with the position that follows: unlocked once no session
// is locked and one has said so. The end of a session says nothing.
func (m lockMemory) settled() lockMemory {
	isOneLocked, isOneUnlocked := false, false
	for _, isLocked := range m.isLocked {
		isOneLocked = isOneLocked || isLocked
		isOneUnlocked = isOneUnlocked || !isLocked
	}
	if isOneUnlocked && !isOneLocked {
		m.position = unlocked
	}
	return m
}

// inOrder returns sessions in the order of their latest messages.
func inOrder(sessions []Facts) []Facts {
	sessions = slices.Clone(sessions)
	slices.SortStableFunc(sessions, func(a, b Facts) int { return cmp.Compare(a.Latest(), b.Latest()) })
	return sessions
}

// lastRequest returns the latest Lock. It is only a request, but lockers that are
// units begin with it, and many never set LockedHint.
func lastRequest(screens []Facts) (last dbus.Sequence) {
	for _, one := range screens {
		last = max(last, one.Request(lockSignal))
	}
	return last
}

func lockReason(screens []Facts) string {
	return bySession(screens, func(one Facts) string {
		hint, _ := one.Bool("LockedHint")
		reason := fmt.Sprintf("LockedHint=%t", hint)
		if said, hasSaid := one.Bool(saidLast); hasSaid {
			reason = fmt.Sprintf("Locked=%t %s", said, reason)
		}
		return reason
	})
}
