package fakes

import (
	"time"

	"github.com/godbus/dbus/v5"
)

// buttonsAfter is how long after its start a real logind was seen to look at its buttons.
const buttonsAfter = 100 * time.Millisecond

// signalButtons sends what a restarted logind that signals LidClosed sends for its power button,
// its keyboard and its lid. A real 257 was seen to say false first, although the lid was closed all
// the time.
func (l *Login1) signalButtons() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.present() || !l.emits["LidClosed"] {
		return
	}
	position := l.properties["LidClosed"]
	for _, value := range []dbus.Variant{dbus.MakeVariant(false), position, position} {
		if l.signal(map[string]dbus.Variant{"LidClosed": value}) != nil {
			return // the bus has gone
		}
	}
}

// Looked returns a channel that is closed once the latest logind has looked at its buttons.
func (l *Login1) Looked() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.looked
}

// SetLid puts the lid switch into a position. A generation that signals LidClosed sends the value
// even if it did not change, as a real logind does for each button that it finds.
func (l *Login1) SetLid(closed bool) error {
	return l.set("LidClosed", dbus.MakeVariant(closed))
}

// MoveLidUnseen puts the lid switch into a position and signals nothing. No real logind of the
// newer generation does that.
func (l *Login1) MoveLidUnseen(closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.properties["LidClosed"] = dbus.MakeVariant(closed)
}
