package bridge

import (
	"context"
	"errors"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Loop is the one goroutine that owns the switches and the targets.
type Loop struct {
	Bridge    *Bridge
	Units     *systemdctl.Reconciler
	Observers []*observers.Observer
	// SystemLost and SessionLost are closed when that bus is gone.
	SystemLost, SessionLost <-chan struct{}
	// Hangup asks for everything to be read anew.
	Hangup <-chan struct{}
	// Watchdog is when the service manager wants a sign of life; it may be nil.
	Watchdog <-chan time.Time
	// Notify passes a message on to the service manager (sd_notify(3)).
	Notify func(message string)

	adopted bool
	ready   bool
	status  string
}

// Run keeps the targets true until the context ends, which is no error, or a
// bus is lost, which is: the connection does not come back.
func (l *Loop) Run(ctx context.Context) error {
	heard := make(chan observers.Facts)
	for _, o := range l.Observers {
		go o.Run(ctx, heard)
	}
	due := time.NewTimer(0)
	due.Stop()
	defer due.Stop()
	for {
		// Facts wait until it is known which targets are active already.
		var facts <-chan observers.Facts
		if l.adopted {
			facts = heard
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.SystemLost:
			return errors.New("lost the system bus; a new start connects again")
		case <-l.SessionLost:
			return errors.New("lost the session bus; a new start connects again")
		case f := <-facts:
			l.Bridge.Observe(time.Now(), f)
		case signal := <-l.Units.Signals():
			l.Units.Signal(signal)
		case takeReply := <-l.Units.Replies():
			takeReply()
		case <-due.C:
			l.Bridge.Tick(time.Now())
		case <-l.Hangup:
			l.reread()
		case <-l.Watchdog:
			l.Notify("WATCHDOG=1")
		}
		if !l.adopted && l.Units.Listed() {
			l.Bridge.Adopt()
			l.adopted = true
		}
		l.Bridge.Settle(time.Now())
		if at, waiting := l.Bridge.Due(); waiting {
			due.Reset(time.Until(at))
		} else {
			due.Stop()
		}
		l.tell()
	}
}

func (l *Loop) reread() {
	for _, o := range l.Observers {
		o.Reread()
	}
	l.Units.Reread()
}

// tell keeps the service manager's view of the service true: ready once every
// service has been heard, and the positions in words.
func (l *Loop) tell() {
	status := l.Bridge.Status()
	switch {
	case !l.ready && l.adopted && l.Bridge.Heard():
		l.ready = true
		l.Bridge.Announce()
		l.Notify("READY=1\nSTATUS=" + status)
	case status != l.status:
		l.Notify("STATUS=" + status)
	}
	l.status = status
}
