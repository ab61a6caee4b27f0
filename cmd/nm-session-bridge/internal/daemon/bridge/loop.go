package bridge

import (
	"context"
	"errors"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

const (
	// newsPause is how long what is new of the bridge waits to be told, so that
	// the jobs of a transition go first and what changes with it is told at
	// once. Most transitions are over by then, and nobody notices.
	newsPause = 10 * time.Millisecond
	// restAfter is how long nothing has happened when the bridge is at rest:
	// what comes in a row, as when a laptop wakes up, is over by then.
	restAfter = 5 * time.Second
)

// Loop is the one goroutine that owns the switches and the targets.
type Loop struct {
	Bridge    *Bridge
	Units     *systemdctl.Reconciler
	Observers []*observers.Observer
	// Delays are the operations that are held up until their units have run.
	Delays []*Delay
	// Posted is what the delays and the bus post.
	Posted <-chan func()
	// SystemLost and SessionLost are closed when that bus is gone.
	SystemLost, SessionLost <-chan struct{}
	// Hangup asks for everything to be read anew.
	Hangup <-chan struct{}
	// Watchdog is when the service manager wants a sign of life; it may be nil.
	Watchdog <-chan time.Time
	// Notify passes a message on to the service manager (sd_notify(3)).
	Notify func(message string)
	// Publish passes on what is new of the bridge.
	Publish func(View, []Transition)
	// Rest is called each time that the bridge comes to rest, to give back what
	// it took to do its work.
	Rest func()
	// Now is the clock of everything that the loop owns.
	Now func() time.Time
	// Held are positions that switches are to be held in from the beginning.
	Held map[string]string

	adopted bool
	ready   bool
	status  string
	locks   string
	newsAt  time.Time // when what is new is to be told; zero where nothing is
	resting bool      // whether to rest is what is due next
}

// Run keeps the targets true until the context ends, which is no error, or a
// bus is lost, which is: the connection does not come back.
func (l *Loop) Run(ctx context.Context) error {
	heard := make(chan observers.Facts)
	for _, o := range l.Observers {
		go o.Run(ctx, heard)
	}
	for _, d := range l.Delays {
		defer d.Close()
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
		isAsked := false
		select {
		case <-ctx.Done():
			return nil
		case <-l.SystemLost:
			return errors.New("lost the system bus; a new start connects again")
		case <-l.SessionLost:
			return errors.New("lost the session bus; a new start connects again")
		case f := <-facts:
			l.Bridge.Observe(f)
		case signal := <-l.Units.Signals():
			if !l.Units.Signal(signal) {
				continue
			}
		case takeReply := <-l.Units.Replies():
			takeReply()
		case <-due.C:
			if l.resting {
				l.Rest()
				l.setTimer(due, false)
				continue
			}
			l.tick()
		case do := <-l.Posted:
			do()
			isAsked = true
		case <-l.Hangup:
			l.reread()
		case <-l.Watchdog:
			l.Notify("WATCHDOG=1")
			continue
		}
		if !l.adopted && l.Units.Listed() {
			l.Bridge.Adopt()
			l.Bridge.HoldAll(l.Held)
			l.adopted = true
		}
		if l.adopted && l.Units.Yielded() {
			l.Bridge.followTargets()
		}
		if l.adopted {
			l.Bridge.stopStrays(l.Units.Strays())
		}
		if l.Bridge.Stale() {
			l.reread()
		}
		l.Bridge.Settle()
		l.tellNews(ctx, isAsked)
		l.setTimer(due, true)
	}
}

// setTimer sets the timer to what is due next, which may be to rest where that is
// long in coming.
func (l *Loop) setTimer(due *time.Timer, mayRest bool) {
	at, waiting := l.nextDue()
	now := l.Now()
	rest := now.Add(restAfter)
	l.resting = mayRest && (!waiting || at.After(rest))
	switch {
	case l.resting:
		due.Reset(rest.Sub(now))
	case waiting:
		due.Reset(at.Sub(now))
	default:
		due.Stop()
	}
}

// tellNews has what is new told when it is time to. The delays come in between:
// they begin when the bridge is ready, and what becomes of their locks is news.
func (l *Loop) tellNews(ctx context.Context, isAsked bool) {
	isDue := l.isNewsDue(isAsked)
	if isDue {
		l.tellManager()
	}
	l.followOperations(ctx)
	if isDue {
		l.publish()
	}
}

// isNewsDue tells whether it is time to tell what is new. Whoever has asked for
// something, and whoever waits for the bridge to be ready, is told at once.
func (l *Loop) isNewsDue(isAsked bool) bool {
	switch {
	case !l.ready, isAsked:
	case l.newsAt.IsZero():
		l.newsAt = l.Now().Add(newsPause)
		return false
	case l.Now().Before(l.newsAt):
		return false
	}
	l.newsAt = time.Time{}
	return true
}

func (l *Loop) tick() {
	l.Bridge.Tick()
	for _, d := range l.Delays {
		d.Tick()
	}
}

// followOperations tells each delay whether its operation is on its way.
func (l *Loop) followOperations(ctx context.Context) {
	if !l.ready {
		return
	}
	for _, d := range l.Delays {
		logind, underway := l.Bridge.Underway(d.What())
		d.Follow(ctx, logind.Owner, underway, limitOf(logind))
	}
}

func (l *Loop) nextDue() (due time.Time, waiting bool) {
	due, waiting = l.Bridge.Due()
	if !l.newsAt.IsZero() && (!waiting || l.newsAt.Before(due)) {
		due, waiting = l.newsAt, true
	}
	for _, d := range l.Delays {
		if at, also := d.Due(); also && (!waiting || at.Before(due)) {
			due, waiting = at, true
		}
	}
	return due, waiting
}

func (l *Loop) reread() {
	for _, o := range l.Observers {
		o.Reread()
	}
	l.Units.Reread()
}

// tellManager keeps the service manager's view of the service true: ready once every
// service has been heard, and the positions in words.
func (l *Loop) tellManager() {
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

// publish passes the view on where it is new.
func (l *Loop) publish() {
	locks := ""
	for _, d := range l.Delays {
		locks += d.State() + " "
	}
	if !l.adopted || !l.Bridge.Changed() && locks == l.locks {
		return
	}
	l.locks = locks
	l.Publish(l.view(), l.Bridge.Entered())
}

// view adds what the delays know to the bridge's view.
func (l *Loop) view() View {
	view := l.Bridge.View()
	for _, d := range l.Delays {
		view.Facts[d.What()+".lock"] = d.State()
	}
	return view
}
