package fakes

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	login1User    = "org.freedesktop.login1.User"
	login1Session = "org.freedesktop.login1.Session"
)

// SessionKind is how a session begins.
type SessionKind struct {
	// Type is wayland, x11 or tty.
	Type string
	// Seat is empty for a login from elsewhere.
	Seat string
}

// sessions is what a logind knows about a user's sessions.
type sessions struct {
	user    dbus.ObjectPath
	number  int // of the latest
	display int // the number of the session that logind has chosen, or 0
	all     []*session
}

type session struct {
	SessionKind
	number int
	locked bool
	idle   bool
	since  uint64 // when idle changed, in microseconds of the real time; 0 for never
}

// pair is a name and a path, which is / where there is none.
type pair struct {
	ID   string
	Path dbus.ObjectPath
}

func pairOf(number int) pair {
	if number == 0 {
		return pair{"", "/"}
	}
	return pair{strconv.Itoa(number), sessionPath(number)}
}

func sessionPath(number int) dbus.ObjectPath {
	return dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/login1/session/_3%d", number))
}

// elect chooses the session that is the Display, as logind does: the present one
// stays unless it has ended.
func (s *sessions) elect() {
	if s.with(s.display) == nil {
		s.display = 0
	}
	for _, one := range s.all {
		if s.display == 0 {
			s.display = one.number
		}
	}
}

// with returns the session of a number, or nil.
func (s *sessions) with(number int) *session {
	i := slices.IndexFunc(s.all, func(one *session) bool { return one.number == number })
	if i < 0 {
		return nil
	}
	return s.all[i]
}

// properties returns those of an interface of one of the objects.
func (s *sessions) properties(path dbus.ObjectPath, ifc string) (all map[string]dbus.Variant, found bool) {
	if path == s.user && ifc == login1User {
		pairs := []pair{}
		for _, one := range slices.Backward(s.all) { // the latest comes first
			pairs = append(pairs, pairOf(one.number))
		}
		return map[string]dbus.Variant{"Display": dbus.MakeVariant(pairOf(s.display)), "Sessions": dbus.MakeVariant(pairs)}, true
	}
	for _, one := range s.all {
		if path == sessionPath(one.number) && ifc == login1Session {
			return one.properties(), true
		}
	}
	return nil, false
}

func (s *session) properties() map[string]dbus.Variant {
	seat := pair{s.Seat, dbus.ObjectPath("/org/freedesktop/login1/seat/" + s.Seat)}
	if s.Seat == "" {
		seat.Path = "/"
	}
	return map[string]dbus.Variant{
		"Id":            dbus.MakeVariant(strconv.Itoa(s.number)),
		"Type":          dbus.MakeVariant(s.Type),
		"Class":         dbus.MakeVariant("user"),
		"State":         dbus.MakeVariant("active"),
		"Seat":          dbus.MakeVariant(seat),
		"Remote":        dbus.MakeVariant(s.Seat == ""),
		"LockedHint":    dbus.MakeVariant(s.locked),
		"IdleHint":      dbus.MakeVariant(s.idle),
		"IdleSinceHint": dbus.MakeVariant(s.since),
	}
}

// BeginSession begins a session of a user, unlocked, and returns its number. Later sessions
// have higher numbers.
func (l *Login1) BeginSession(uid int, kind SessionKind) (number int, err error) {
	l.mu.Lock()
	l.sessions.number++
	number = l.sessions.number
	l.mu.Unlock()
	return number, l.unlessHanging(func() error {
		l.sessions.user = dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/login1/user/_%d", uid))
		l.sessions.all = append(l.sessions.all, &session{SessionKind: kind, number: number})
		l.sessions.elect()
		return errors.Join(l.announce("SessionNew", strconv.Itoa(number), sessionPath(number)), l.emitDisplay(l.sessions.display))
	})
}

// EndSession ends a session. 252 and 257 were seen to signal a Display that has
// just ended once more.
func (l *Login1) EndSession(number int) error {
	return l.unlessHanging(func() error {
		before := l.sessions.display
		l.sessions.all = slices.DeleteFunc(l.sessions.all, func(one *session) bool { return one.number == number })
		l.sessions.elect()
		if l.sessions.display != 0 {
			before = l.sessions.display
		}
		return errors.Join(l.announce("SessionRemoved", strconv.Itoa(number), sessionPath(number)), l.emitDisplay(before))
	})
}

// BecomeGraphical makes a text session a graphical one, as a compositor does that
// was started in it.
func (l *Login1) BecomeGraphical(number int) error {
	return l.unlessHanging(func() error {
		one := l.sessions.with(number)
		if one == nil {
			return nil
		}
		one.Type = "wayland"
		return l.emitSession(number, "Type", one.Type)
	})
}

// SetSession begins or ends the latest session of a user, as a login at a seat
// does. Each begins unlocked.
func (l *Login1) SetSession(uid int, exists bool) error {
	l.mu.Lock()
	number, isThere := l.sessions.number, l.sessions.with(l.sessions.number) != nil
	l.sessions.user = dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/login1/user/_%d", uid))
	l.mu.Unlock()
	switch {
	case exists == isThere:
		return nil
	case exists:
		_, err := l.BeginSession(uid, SessionKind{"wayland", "seat0"})
		return err
	}
	return l.EndSession(number)
}

// Session returns the path of the latest session, which may have ended.
func (l *Login1) Session() dbus.ObjectPath {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sessionPath(l.sessions.number)
}

// AskToLock sends the signal Lock or Unlock of the latest session, as loginctl
// lock-session and unlock-session make logind do.
func (l *Login1) AskToLock(locked bool) error {
	return l.unlessHanging(func() error { return l.emitLock(sessionPath(l.sessions.number), locked) })
}

// AskSessionToLock is AskToLock of another session.
func (l *Login1) AskSessionToLock(number int, locked bool) error {
	return l.unlessHanging(func() error { return l.emitLock(sessionPath(number), locked) })
}

// AskClientToLock is like AskToLock, but only the client with the given unique name hears
// it.
func (l *Login1) AskClientToLock(client string, locked bool) error {
	return l.tell(client, l.Session(), login1Session, lockMember(locked))
}

// SetLockedHint sets the LockedHint of the latest session, as a desktop does, and
// signals it.
func (l *Login1) SetLockedHint(locked bool) error {
	return l.unlessHanging(func() error { return l.setHint(l.sessions.number, locked) })
}

// SetSessionsHint is SetLockedHint of another session.
func (l *Login1) SetSessionsHint(number int, locked bool) error {
	return l.unlessHanging(func() error { return l.setHint(number, locked) })
}

// setHint is called with mu held.
func (l *Login1) setHint(number int, locked bool) error {
	one := l.sessions.with(number)
	if one == nil {
		return nil
	}
	one.locked = locked
	return l.emitSession(number, "LockedHint", locked)
}

// SetIdleHint sets the IdleHint of a session, as a desktop does. As in
// session_set_idle_hint in systemd's src/login/logind-session.c, text sessions have
// none to set, and the user's changes with it.
func (l *Login1) SetIdleHint(number int, idle bool) error {
	return l.unlessHanging(func() error {
		one := l.sessions.with(number)
		if one == nil || one.Type == "tty" || one.idle == idle {
			return nil
		}
		one.idle, one.since = idle, uint64(time.Now().UnixMicro())
		changed := map[string]dbus.Variant{"IdleHint": dbus.MakeVariant(idle), "IdleSinceHint": dbus.MakeVariant(one.since)}
		return errors.Join(
			l.emitChanges(sessionPath(number), login1Session, changed),
			l.emitChanges(l.sessions.user, login1User, changed),
		)
	})
}

// BeginOther begins a session of another user.
func (l *Login1) BeginOther(id string) error {
	return l.unlessHanging(func() error { return l.announce("SessionNew", "c"+id, otherSession(id)) })
}

// LockOther locks or unlocks a session of another user, and sets its LockedHint.
func (l *Login1) LockOther(id string, locked bool) error {
	return errors.Join(l.unlessHanging(func() error { return l.emitLock(otherSession(id), locked) }), l.HintOther(id, locked))
}

// HintOther sets the LockedHint of a session of another user.
func (l *Login1) HintOther(id string, locked bool) error {
	return l.unlessHanging(func() error { return l.emitChange(otherSession(id), login1Session, "LockedHint", locked) })
}

func otherSession(id string) dbus.ObjectPath {
	return "/org/freedesktop/login1/session/c" + dbus.ObjectPath(id)
}

// announce signals that a session is new, or is removed. It is called with mu held.
func (l *Login1) announce(member, id string, session dbus.ObjectPath) error {
	if !l.present() {
		return nil
	}
	return l.conn.Emit(login1Path, login1Manager+"."+member, id, session)
}

func (l *Login1) emitLock(session dbus.ObjectPath, locked bool) error {
	if !l.present() {
		return nil
	}
	return l.conn.Emit(session, login1Session+"."+lockMember(locked))
}

func lockMember(locked bool) string {
	if locked {
		return "Lock"
	}
	return "Unlock"
}

func (l *Login1) emitDisplay(number int) error {
	return l.emitChange(l.sessions.user, login1User, "Display", pairOf(number))
}

func (l *Login1) emitSession(number int, property string, value any) error {
	return l.emitChange(sessionPath(number), login1Session, property, value)
}

// emitChange is called with mu held.
func (l *Login1) emitChange(path dbus.ObjectPath, ifc, property string, value any) error {
	return l.emitChanges(path, ifc, map[string]dbus.Variant{property: dbus.MakeVariant(value)})
}

// emitChanges is called with mu held.
func (l *Login1) emitChanges(path dbus.ObjectPath, ifc string, changed map[string]dbus.Variant) error {
	if !l.present() {
		return nil
	}
	return l.conn.Emit(path, propertiesIfc+".PropertiesChanged", ifc, changed, []string{})
}

// takeHint sets the LockedHint of a session at its own request.
func (l *Login1) takeHint(conn *dbus.Conn, msg *dbus.Message, path dbus.ObjectPath) {
	var isLocked bool
	if err := dbus.Store(msg.Body, &isLocked); err != nil {
		fail(conn, msg, "org.freedesktop.DBus.Error.InvalidArgs", err.Error())
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.sessions.all {
		if sessionPath(one.number) == path && one.locked != isLocked {
			_ = l.setHint(one.number, isLocked) // the bus may have gone
		}
	}
	reply(conn, msg)
}

// unlockSession sends Unlock of a session, or of Display where the caller does not name one.
func (l *Login1) unlockSession(conn *dbus.Conn, msg *dbus.Message) {
	var id string
	if err := dbus.Store(msg.Body, &id); err != nil {
		fail(conn, msg, "org.freedesktop.DBus.Error.InvalidArgs", err.Error())
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.sessions.all {
		if id == strconv.Itoa(one.number) || id == "" && one.number == l.sessions.display {
			_ = l.emitLock(sessionPath(one.number), false) // the bus may have gone
		}
	}
	reply(conn, msg)
}
