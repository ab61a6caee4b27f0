package fakes

import (
	"fmt"

	"github.com/godbus/dbus/v5"
)

const (
	login1User    = "org.freedesktop.login1.User"
	login1Session = "org.freedesktop.login1.Session"

	// sessionPath is that of the only session there may be.
	sessionPath = dbus.ObjectPath("/org/freedesktop/login1/session/_31")
)

// displays is what a logind knows of a user's display session.
type displays struct {
	user   dbus.ObjectPath
	exists bool
	locked bool
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
	return dbus.MakeVariant(display{"1", sessionPath})
}

// properties returns those of an interface of one of the objects.
func (d displays) properties(path dbus.ObjectPath, ifc string) (all map[string]dbus.Variant, found bool) {
	switch {
	case path == d.user && ifc == login1User:
		return map[string]dbus.Variant{"Display": d.display()}, true
	case d.exists && path == sessionPath && ifc == login1Session:
		return map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(d.locked)}, true
	}
	return nil, false
}

// SetSession begins or ends the display session of a user, as a login at a seat
// does. It begins unlocked.
func (l *Login1) SetSession(uid int, exists bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.displays = displays{user: dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/login1/user/_%d", uid)), exists: exists}
	if !l.present() {
		return nil
	}
	return l.conn.Emit(l.displays.user, propertiesIfc+".PropertiesChanged",
		login1User, map[string]dbus.Variant{"Display": l.displays.display()}, []string{})
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
	return l.conn.Emit(sessionPath, login1Session+"."+member)
}

// SetLockedHint sets the session's LockedHint, as a desktop does, and signals it.
func (l *Login1) SetLockedHint(locked bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.displays.locked = locked
	return l.conn.Emit(sessionPath, propertiesIfc+".PropertiesChanged",
		login1Session, map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(locked)}, []string{})
}
