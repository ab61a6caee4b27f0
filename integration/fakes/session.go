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

// displays is what a logind knows of a user's display session.
type displays struct {
	user   dbus.ObjectPath
	exists bool
	number int // of the session that is there, or was last
	locked bool
}

// path is that of the session.
func (d displays) path() dbus.ObjectPath {
	return dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/login1/session/_3%d", d.number))
}

// display is the value of the User object's property Display: a name and a
// path, which is / where there is none.
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

// properties returns those of an interface of one of the objects.
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
	l.mu.Lock()
	defer l.mu.Unlock()
	l.displays.user = dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/login1/user/_%d", uid))
	if exists == l.displays.exists {
		return nil
	}
	signalled := l.displays.display() // 252 and 257 signal the session that has just ended once more
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

// AskToLock sends the session's signal Lock or Unlock, as loginctl lock-session
// and unlock-session make logind do.
func (l *Login1) AskToLock(locked bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	member := "Unlock"
	if locked {
		member = "Lock"
	}
	return l.conn.Emit(l.displays.path(), login1Session+"."+member)
}

// SetLockedHint sets the session's LockedHint, as a desktop does, and signals it.
func (l *Login1) SetLockedHint(locked bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.displays.locked = locked
	return l.conn.Emit(l.displays.path(), propertiesIfc+".PropertiesChanged",
		login1Session, map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(locked)}, []string{})
}
