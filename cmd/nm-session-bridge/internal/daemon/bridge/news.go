package bridge

import (
	"context"
	"time"
)

// newsPause is how long news waits, so that a transition's jobs go first and
// its changes are published together. Most transitions are over by then, and
// nobody notices the pause.
const newsPause = 10 * time.Millisecond

// news is what has been published to the service manager and the session bus, and
// what still waits to be.
type news struct {
	isView  bool         // whether the view has changed since it was published
	entered []Transition // since then
	due     time.Time    // when to publish; zero if nothing waits
	status  string       // as told last
	locks   string       // as told last
}

// tellNews publishes the news when it is due. It updates the delays in between,
// because they begin when the bridge is ready, and the state of their locks is
// news.
func (l *loop) tellNews(ctx context.Context, change Change) {
	l.news.isView = l.news.isView || change.View
	l.news.entered = append(l.news.entered, change.Entered...)
	isDue := l.isNewsDue(change.Urgent)
	if !l.ready && l.isReady() || isDue {
		isDue = true // also for those who waited until the bridge is ready
		l.tellManager()
	}
	l.followOperations(ctx)
	if isDue {
		l.publish()
	}
}

// isReady reports whether the targets are adopted and every service has been heard.
func (l *loop) isReady() bool { return l.adopted && l.Bridge.Heard() }

// isNewsDue reports whether it is time to publish the news. A caller who has
// asked for something gets the news at once.
func (l *loop) isNewsDue(urgent bool) bool {
	switch {
	case urgent:
	case l.news.due.IsZero():
		l.news.due = l.Now().Add(newsPause)
		return false
	case l.Now().Before(l.news.due):
		return false
	}
	l.news.due = time.Time{}
	return true
}

// tellManager keeps the service manager's view of the service true: ready once
// every service has been heard, and the positions in words.
func (l *loop) tellManager() {
	status := l.status()
	switch {
	case !l.ready && l.isReady():
		l.ready = true
		l.Bridge.Announce()
		l.Notify("READY=1\nSTATUS=" + status)
	case status != l.news.status:
		l.Notify("STATUS=" + status)
	}
	l.news.status = status
}

// status returns the positions in words, and which delay locks are refused. While
// the bridge waits for another one, it names that one instead.
func (l *loop) status() string {
	if l.claim.holder != "" {
		return "waiting until another nm-session-bridge ends: " + l.claim.holder
	}
	status := l.Bridge.Status()
	for _, d := range l.Delays {
		if d.State() == refused {
			status += ", the delay lock on " + d.What() + " is refused"
		}
	}
	return status
}

// publish passes the view on if it is new.
func (l *loop) publish() {
	locks := ""
	for _, d := range l.Delays {
		locks += d.State() + " "
	}
	if !l.adopted || !l.news.isView && locks == l.news.locks {
		return
	}
	l.Publish(l.view(), l.news.entered)
	l.news.isView, l.news.entered, l.news.locks = false, nil, locks
}

// view adds what the delays know to the bridge's view.
func (l *loop) view() View {
	view := l.Bridge.View()
	for _, d := range l.Delays {
		view.Facts[d.What()+".lock"] = d.State()
	}
	return view
}
