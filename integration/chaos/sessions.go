package chaos

import (
	"slices"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
)

// session is one of the user's sessions.
type session struct {
	number    int
	hasScreen bool // that can be locked
	isText    bool // so that it counts as busy
	idle      bool // as its hint says
	hint      bool
	said      word // since the lock took its position
	isNew     bool // whether it has begun in this round
}

// word is what a session has said about itself.
type word int

const (
	nothingYet word = iota
	saidLocked
	saidUnlocked
)

// sessions are the user's sessions, the oldest first.
type sessions struct {
	all []*session
	// hazy is set if the bridge may remember other words than the model.
	hazy bool
}

// mostSessions is the most sessions that there are at once.
const mostSessions = 4

// graphical is a kind of session.
const graphical = "graphical"

// kinds returns how sessions begin, by their names in faults. The last one has no screen.
func kinds() map[string]fakes.SessionKind {
	return map[string]fakes.SessionKind{
		graphical: {Type: "wayland", Seat: "seat0"},
		"remote":  {Type: "x11"},
		"console": {Type: "tty", Seat: "seat0"},
		ssh:       {Type: "tty"},
	}
}

// ssh is the kind of session that has no screen.
const ssh = "ssh"

// screens returns the sessions that have a screen.
func (s *sessions) screens() []*session {
	return slices.DeleteFunc(slices.Clone(s.all), func(one *session) bool { return !one.hasScreen })
}

// forget forgets what the sessions have said.
func (s *sessions) forget() {
	for _, one := range s.all {
		one.said = nothingYet
	}
}

// outdate forgets which sessions have said that they are unlocked: a Lock and a sleep lock
// every screen.
func (s *sessions) outdate() {
	for _, one := range s.all {
		if one.said == saidUnlocked {
			one.said = nothingYet
		}
	}
}

// oneSaid reports whether a session with a screen has said something.
func (s *sessions) oneSaid(said word) bool {
	return slices.ContainsFunc(s.screens(), func(one *session) bool { return one.said == said })
}

// idle returns the position of the idle switch.
func (s *sessions) idle() string {
	screens := s.screens()
	switch {
	case len(screens) == 0:
		return unknown
	case slices.ContainsFunc(screens, func(one *session) bool { return one.isText || !one.idle }):
		return "busy"
	}
	return "idle"
}

// isHinted reports whether a session with a screen says that it is locked.
func (s *sessions) isHinted() bool {
	return slices.ContainsFunc(s.screens(), func(one *session) bool { return one.hint })
}

// says notes that a session has said whether it is locked.
func (w *World) says(one *session, isLocked bool) {
	switch {
	case !one.hasScreen:
	case isLocked:
		w.locks("locked", false)
		one.said = saidLocked
	default:
		one.said = saidUnlocked
		w.unlocks()
	}
}

// unlocks notes that the lock must be unlocked if no session is locked any more and one
// has said so.
func (w *World) unlocks() {
	if w.lock == "locked" && (w.round.crashed || time.Since(w.crashed) < crashTime) {
		w.mayUnlock()
		return
	}
	switch {
	case w.lock != "locked":
		w.locks("unlocked", false)
	case w.sessions.hazy && len(w.sessions.screens()) > 1:
		w.mayUnlock()
	case w.sessions.oneSaid(saidUnlocked) && !w.sessions.oneSaid(saidLocked):
		w.locks("unlocked", false)
	}
}

// mayUnlock notes that the lock may be unlocked or not.
func (w *World) mayUnlock() {
	w.vagueLock()
	w.locks("unlocked", true)
}

// begins notes that a session has begun. It unlocks nothing. If nothing was known about
// the lock, it is then unlocked.
func (w *World) begins(number int, kind string) {
	one := &session{number: number, hasScreen: kind != ssh, isText: kinds()[kind].Type == "tty", isNew: true}
	w.sessions.all = append(w.sessions.all, one)
	w.goes()
	if one.hasScreen && w.lock == unknown {
		w.locks("unlocked", true)
	}
}

// ends notes that a session has ended, which neither locks nor unlocks. But if another one has been
// unlocked before, this may be the last one that was locked.
func (w *World) ends(one *session) {
	w.sessions.all = slices.DeleteFunc(w.sessions.all, func(other *session) bool { return other == one })
	w.goes()
	switch {
	case !one.hasScreen, w.lock != "locked", len(w.sessions.screens()) == 0:
	case w.sessions.hazy:
		w.mayUnlock() // the bridge may know that another one has been unlocked
	case w.sessions.oneSaid(saidUnlocked):
		w.unlocks()
	}
}
