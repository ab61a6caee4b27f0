package fakes

import (
	"errors"

	"github.com/godbus/dbus/v5"
)

// ErrVanished is returned by calls that need the service on the bus while it is away.
var ErrVanished = errors.New("login1 is not on the bus")

// Babble signals a change of LidClosed to a value that is not a position.
func (l *Login1) Babble() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.present() {
		return ErrVanished
	}
	return l.conn.Emit(login1Path, propertiesIfc+".PropertiesChanged",
		login1Manager, map[string]dbus.Variant{"LidClosed": dbus.MakeVariant("ajar")}, []string{})
}

// Hang makes it do nothing until GoOn or Vanish, as if stopped by SIGSTOP: calls and
// signals of changes wait.
func (l *Login1) Hang() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hanging = l.present()
}

// GoOn ends Hang: everything that had to wait happens in order.
func (l *Login1) GoOn() {
	l.mu.Lock()
	held := l.held
	l.hanging, l.held = false, nil
	l.mu.Unlock()
	for _, do := range held {
		do()
	}
}

// Lie signals the wrong position of the lid, and changes nothing.
func (l *Login1) Lie() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.present() {
		return ErrVanished
	}
	closed, _ := l.properties["LidClosed"].Value().(bool)
	return l.signal(map[string]dbus.Variant{"LidClosed": dbus.MakeVariant(!closed)})
}

// Garble makes it report a property as a text whenever it is asked, or ends that.
func (l *Login1) Garble(property string, garbled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.garbled[property] = garbled
}

// holds reports whether something has to wait because of Hang, and keeps it in that case.
func (l *Login1) holds(do func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hanging {
		l.held = append(l.held, do)
	}
	return l.hanging
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
