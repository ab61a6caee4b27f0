package fakes

import (
	"fmt"
	"strconv"

	"github.com/godbus/dbus/v5"
)

const (
	login1User    = "org.freedesktop.login1.User"
	login1Session = "org.freedesktop.login1.Session"
)

// displays is what a logind knows about a user's display session.
type displays struct {
	user   dbus.ObjectPath
	exists bool
	number int // of the present session, or of the last one
	locked bool
}

// path returns the path of the session.
func (d displays) path() dbus.ObjectPath {
	return dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/login1/session/_3%d", d.number))
}

// display returns the value of the User object's property Display: a name and a
// path, which is / if there is no session.
func (d displays) display() dbus.Variant {
	type display struct {
		ID   string
		Path dbus.ObjectPath
	}
	if !d.exists {
		return dbus.MakeVariant(display{"", "/"})
	}
	return dbus.MakeVariant(display{strconv.Itoa(d.number), d.path()})
}

// properties returns the properties of one of the objects' interfaces.
func (d displays) properties(path dbus.ObjectPath, ifc string) (all map[string]dbus.Variant, found bool) {
	switch {
	case path == d.user && ifc == login1User:
		return map[string]dbus.Variant{"Display": d.display()}, true
	case d.exists && path == d.path() && ifc == login1Session:
		return map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(d.locked)}, true
	}
	return nil, false
}

// SetSession begins or ends the display session of a user, as a login at a seat
// does. Each begins unlocked.
func (l *Login1) SetSession(uid int, exists bool) error {
	return l.unlessHanging(func() error { return l.setSession(uid, exists) })
}

func (l *Login1) setSession(uid int, exists bool) error {
	l.displays.user = dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/login1/user/_%d", uid))
	if exists == l.displays.exists {
		return nil
	}
	signalled := l.displays.display() // 252 and 257 once more signal the session that has just ended
	l.displays.exists = exists
	if exists {
		l.displays.number++
		l.displays.locked = false
		signalled = l.displays.display()
	}
	if !l.present() {
		return nil
	}
	return l.conn.Emit(l.displays.user, propertiesIfc+".PropertiesChanged",
		login1User, map[string]dbus.Variant{"Display": signalled}, []string{})
}

// Display returns the path of the display session, or that of the last one.
func (l *Login1) Display() dbus.ObjectPath {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.displays.path()
}

// AskToLock sends the session's signal Lock or Unlock, as loginctl lock-session
// and unlock-session make logind do.
func (l *Login1) AskToLock(locked bool) error {
	return l.unlessHanging(func() error { return l.emitLock(l.displays.path(), locked) })
}

// SetLockedHint sets the session's LockedHint, as a desktop does, and signals it.
func (l *Login1) SetLockedHint(locked bool) error {
	return l.unlessHanging(func() error {
		l.displays.locked = locked
		return l.emitHint(l.displays.path(), locked)
	})
}

// LockOther locks or unlocks a session that is not the user's display session,
// such as another user's.
func (l *Login1) LockOther(locked bool) error {
	const other = dbus.ObjectPath("/org/freedesktop/login1/session/c1")
	return l.unlessHanging(func() error {
		if err := l.emitLock(other, locked); err != nil {
			return err
		}
		return l.emitHint(other, locked)
	})
}

func (l *Login1) emitLock(session dbus.ObjectPath, locked bool) error {
	member := "Unlock"
	if locked {
		member = "Lock"
	}
	return l.conn.Emit(session, login1Session+"."+member)
}

func (l *Login1) emitHint(session dbus.ObjectPath, locked bool) error {
	return l.conn.Emit(session, propertiesIfc+".PropertiesChanged",
		login1Session, map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(locked)}, []string{})
}

// unlessHanging does something with mu held, or later if a Hang makes it wait.
func (l *Login1) unlessHanging(do func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hanging {
		l.held = append(l.held, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.present() {
				_ = do() // the bus may have gone
			}
		})
		return nil
	}
	return do()
}
