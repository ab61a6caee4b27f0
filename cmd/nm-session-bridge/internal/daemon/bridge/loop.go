package bridge

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// restAfter is how long nothing must have happened before the bridge comes to
// rest. A series of events, such as a laptop's wake-up, is over by then.
const restAfter = 5 * time.Second

// Config is what [Run] connects.
type Config struct {
	Bridge    *Bridge
	Units     *systemdctl.Reconciler
	Observers []*observers.Observer
	// Delays are the operations that are delayed until their units have run.
	Delays []*Delay
	// Inbox is where other goroutines leave work for this one.
	Inbox Inbox
	// SystemLost and SessionLost are closed when that bus is gone.
	SystemLost, SessionLost <-chan struct{}
	// Hangup asks for everything to be read again.
	Hangup <-chan struct{}
	// Watchdog is when to give a sign of life, whether the service manager wants one or
	// not; it may be nil.
	Watchdog <-chan time.Time
	// Tick is called with each sign of life. It must not wait.
	Tick func()
	// Leave makes the loop end with an error, unless a delay waits for units, because
	// logind would not wait for them any longer. The sender then sends again.
	Leave <-chan error
	// Slept returns for how long the machine has slept since it was booted; it may
	// be nil.
	Slept func() time.Duration
	// Notify passes a message on to the service manager (sd_notify(3)).
	Notify func(message string)
	// Publish passes on a new view and the transitions that led to it.
	Publish func(View, []Transition)
	// Rest is called each time the bridge comes to rest, to free memory that it needed
	// for its work.
	Rest func()
	// Work is called after each pass, also after the first that follows a rest.
	Work func()
	// Now is the clock of everything that the loop owns.
	Now func() time.Time
	// Claim returns when this bridge is the only one. If it must wait, it reports once
	// which bridge is running.
	Claim func(ctx context.Context, waits func(holder string)) error
	// Held returns the positions in which the previous bridge held switches.
	Held func() map[string]string
}

// loop is the state of [Run].
type loop struct {
	Config
	claim   claim
	adopted bool // whether it is known which targets were active at the start
	ready   bool // whether every service has been heard
	resting bool // whether the timer is set for the rest
	news    news
	slept   time.Duration // as last noticed
}

// leastSleep is the smallest growth of the time slept that counts as a new sleep. A
// sleep takes longer, and reading two clocks takes less.
const leastSleep = 100 * time.Millisecond

// hasSlept reports whether the machine has slept since this was last asked. Nobody
// announces a sleep that bypasses logind.
func (l *loop) hasSlept() bool {
	if l.Slept == nil {
		return false
	}
	slept := l.Slept()
	if slept < l.slept+leastSleep {
		return false
	}
	l.slept = slept
	return true
}

// Run keeps the targets true until the context ends. The loss of a bus is an error,
// because the connection does not come back. What comes from Leave is also an error.
func Run(ctx context.Context, config Config) error {
	l := &loop{Config: config}
	l.hasSlept() // this leaves out sleeps before our start
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
		var change Change
		select {
		case <-ctx.Done():
			return nil
		case <-l.SystemLost:
			return errors.New("lost the system bus; a restart connects again")
		case <-l.SessionLost:
			return errors.New("lost the session bus; a restart connects again")
		case f := <-facts:
			change = l.Bridge.Observe(f)
		case signal := <-l.Units.Signals():
			moved, isOurs := l.Units.Signal(signal)
			if !isOurs {
				continue
			}
			change = Change{Moved: moved}
		case do := <-l.Inbox:
			change = l.hearUnits()
			change.add(do())
		case <-due.C:
			if l.resting {
				l.Rest()
				l.setTimer(due, false)
				continue
			}
			change = l.tick()
		case <-l.Hangup:
			l.reread()
			for _, d := range l.Delays {
				d.TryAgain()
			}
		case reason := <-l.Leave:
			if l.mayLeave() {
				return reason
			}
			continue
		case <-l.Watchdog:
			l.Notify("WATCHDOG=1")
			l.Tick()
			if !l.hasSlept() {
				continue
			}
			change = l.Bridge.Slept()
			change.Stale = true
		}
		l.endPass(ctx, change)
		if l.claim.err != nil {
			return l.claim.err
		}
		l.Work() // after the pass, because somebody waits for the pass
		l.setTimer(due, true)
	}
}

// hearUnits handles the signals that the user manager had sent before it answered.
func (l *loop) hearUnits() (change Change) {
	for range len(l.Units.Signals()) {
		select {
		case signal := <-l.Units.Signals():
			moved, _ := l.Units.Signal(signal)
			change.add(Change{Moved: moved})
		default: // there were too many, and fewer took their place
			return change
		}
	}
	return change
}

// mayLeave reports whether no delay waits for units.
func (l *loop) mayLeave() bool { return !slices.ContainsFunc(l.Delays, (*Delay).waits) }

// endPass acts on what has happened in a pass.
func (l *loop) endPass(ctx context.Context, change Change) {
	switch {
	case l.adopted:
		change.add(l.Bridge.Moved(change.Moved))
		change.add(l.Bridge.Believe())
	case l.Units.Listed() && l.isOnly(ctx):
		change.add(l.Bridge.Adopt())
		change.add(l.Bridge.HoldAll(l.Held()))
		l.adopted = true
	}
	if l.hasSlept() && !change.Stale { // a sleep that logind announced makes everything stale
		change.add(l.Bridge.Slept())
		change.Stale = true
	}
	if change.Stale {
		l.reread()
	}
	change.add(l.Bridge.EnterAfter(l.Units.IsReread()))
	l.Bridge.Settle()
	l.tellNews(ctx, change)
	for _, told := range change.Told {
		told()
	}
}

func (l *loop) tick() Change {
	change := l.Bridge.Tick()
	for _, d := range l.Delays {
		d.Tick()
	}
	return change
}

func (l *loop) reread() {
	number := l.Bridge.Reread()
	for _, o := range l.Observers {
		o.Reread(number)
	}
	l.Units.Reread()
}

// followOperations tells each delay whether its operation has begun.
func (l *loop) followOperations(ctx context.Context) {
	if !l.ready {
		return
	}
	for _, d := range l.Delays {
		logind, underway := l.Bridge.Underway(d.What())
		d.Follow(ctx, logind.Owner, underway, limitOf(logind.Uint64("InhibitDelayMaxUSec")))
	}
}

// setTimer sets the timer to what is due next. That is the rest, if it is allowed and
// nothing else is due for a long time.
func (l *loop) setTimer(due *time.Timer, mayRest bool) {
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

func (l *loop) nextDue() (due time.Time, waiting bool) {
	due, waiting = l.Bridge.Due()
	if !l.news.due.IsZero() && (!waiting || l.news.due.Before(due)) {
		due, waiting = l.news.due, true
	}
	for _, d := range l.Delays {
		if at, also := d.Due(); also && (!waiting || at.Before(due)) {
			due, waiting = at, true
		}
	}
	return due, waiting
}
