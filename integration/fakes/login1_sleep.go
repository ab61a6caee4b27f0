package fakes

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Inhibitor is a lock that a client holds.
type Inhibitor struct {
	What, Who, Why, Mode string
	// Holder is the unique name of the client on the bus.
	Holder string
}

// SetInhibitDelayMax sets how long delay locks hold an operation up, as a restart with another
// InhibitDelayMaxSec= does.
func (l *Login1) SetInhibitDelayMax(most time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.properties["InhibitDelayMaxUSec"] = dbus.MakeVariant(uint64(most.Microseconds()))
}

// Wake ends the sleep and signals nothing, like a logind that is away.
func (l *Login1) Wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.properties["PreparingForSleep"] = dbus.MakeVariant(false)
}

// PrepareForSleep sends the signal of that name and sets the property PreparingForSleep before it.
func (l *Login1) PrepareForSleep(start bool) error {
	if err := l.set("PreparingForSleep", dbus.MakeVariant(start)); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.present() {
		return ErrVanished
	}
	return l.conn.Emit(login1Path, login1Manager+".PrepareForSleep", start)
}

// PrepareClientForSleep is like PrepareForSleep, but only the client with the given unique
// name hears it.
func (l *Login1) PrepareClientForSleep(client string, start bool) error {
	if err := l.set("PreparingForSleep", dbus.MakeVariant(start)); err != nil {
		return err
	}
	return l.tell(client, login1Path, login1Manager, "PrepareForSleep", start)
}

// PrepareForShutdown sends the signal of that name and sets the property PreparingForShutdown before it. Since
// systemd 255, PrepareForShutdownWithMetadata comes first, seen in its introspection data.
func (l *Login1) PrepareForShutdown(start bool) error {
	if err := l.set("PreparingForShutdown", dbus.MakeVariant(start)); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.present() {
		return ErrVanished
	}
	return l.conn.Emit(login1Path, login1Manager+".PrepareForShutdown", start)
}

// Inhibitors returns the locks that are held now, and a channel that is closed at the next change.
func (l *Login1) Inhibitors() ([]Inhibitor, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var held []Inhibitor
	for _, inhibitor := range l.inhibitors {
		held = append(held, inhibitor)
	}
	return held, l.changed
}

// NoteOthersInhibitor signals what it does when another user takes a delay lock, or releases one: the same
// value as before, because others hold some as well.
func (l *Login1) NoteOthersInhibitor() error {
	l.mu.Lock()
	value := l.properties["DelayInhibited"]
	l.mu.Unlock()
	return l.set("DelayInhibited", value)
}

// RefuseLocks makes it answer requests for a lock with an error, as a logind without polkit
// does. An error without a name ends that.
func (l *Login1) RefuseLocks(refusal dbus.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusal = refusal
}

// Refusals returns how often it has refused a lock, and a channel that is closed at the next change.
func (l *Login1) Refusals() (count int, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusals, l.changed
}

// refuses reports whether it refuses a lock, and refuses it.
func (l *Login1) refuses(conn *dbus.Conn, msg *dbus.Message) bool {
	l.mu.Lock()
	refusal := l.refusal
	if refusal.Name != "" {
		l.refusals++
		close(l.changed)
		l.changed = make(chan struct{})
	}
	l.mu.Unlock()
	if refusal.Name == "" {
		return false
	}
	fail(conn, msg, refusal.Name, refusal.Error())
	return true
}

// inhibit hands out the write end of a pipe: the lock lasts until the client's last copy of it is closed. A lock
// on an operation that is underway is refused (method_inhibit in systemd's src/login/logind-dbus.c), and no other.
func (l *Login1) inhibit(conn *dbus.Conn, msg *dbus.Message, sender string) {
	lock := Inhibitor{Holder: sender}
	if err := dbus.Store(msg.Body, &lock.What, &lock.Who, &lock.Why, &lock.Mode); err != nil {
		fail(conn, msg, "org.freedesktop.DBus.Error.InvalidArgs", err.Error())
		return
	}
	if lock.Who != "NetworkManager" && l.refuses(conn, msg) {
		return
	}
	l.mu.Lock()
	isUnderway := false
	for what, property := range map[string]string{"sleep": "PreparingForSleep", "shutdown": "PreparingForShutdown"} {
		prepares, _ := l.properties[property].Value().(bool)
		isUnderway = isUnderway || prepares && slices.Contains(strings.Split(lock.What, ":"), what)
	}
	l.mu.Unlock()
	if isUnderway {
		fail(conn, msg, "org.freedesktop.login1.OperationInProgress",
			"The operation inhibition has been requested for is already running")
		return
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		fail(conn, msg, "org.freedesktop.DBus.Error.Failed", err.Error())
		return
	}
	l.mu.Lock()
	l.inhibitors[ours] = lock
	l.noteInhibitors()
	l.mu.Unlock()
	reply(conn, msg, dbus.UnixFD(theirs.Fd()))
	theirs.Close()
	go func() {
		_, _ = ours.Read(make([]byte, 1)) // nobody writes: this returns when the lock is released
		ours.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.inhibitors, ours)
		l.noteInhibitors()
	}()
}

// noteInhibitors updates the properties about inhibitors. It is called with mu held.
func (l *Login1) noteInhibitors() {
	delayed := map[string]bool{}
	for _, lock := range l.inhibitors {
		if lock.Mode == "delay" {
			for _, what := range strings.Split(lock.What, ":") {
				delayed[what] = true
			}
		}
	}
	var whats []string
	for _, what := range []string{"shutdown", "sleep"} {
		if delayed[what] {
			whats = append(whats, what)
		}
	}
	l.properties["DelayInhibited"] = dbus.MakeVariant(strings.Join(whats, ":"))
	l.properties["NCurrentInhibitors"] = dbus.MakeVariant(uint64(len(l.inhibitors)))
	if l.present() {
		changed := map[string]dbus.Variant{}
		for _, name := range []string{"DelayInhibited", "NCurrentInhibitors"} {
			if l.emits[name] {
				changed[name] = l.properties[name]
			}
		}
		_ = l.signal(changed) // the bus may have gone
	}
	close(l.changed)
	l.changed = make(chan struct{})
}
