package bridge

import (
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func TestTheStateOfALockIsPublishedWithTheRest(t *testing.T) {
	s := newSmith(t)
	s.follow(":1.1", false)
	s.arrives()
	b, _, reading, _, clock := begin()
	*reading = observers.Reading{Position: "open"}
	var told View
	l := &loop{adopted: true, ready: true, Config: Config{
		Bridge: b, Delays: []*Delay{s.delay}, Now: clock.now,
		Notify:  func(string) {},
		Publish: func(view View, _ []Transition) { told = view },
	}}
	change := b.Observe(facts) // of a logind that is gone
	change.Urgent = true
	l.tellNews(t.Context(), change)
	if got := told.Facts["sleep.lock"]; s.held != 0 || got != "not held" {
		t.Errorf("the lock is told to be %q, and %d are held", got, s.held)
	}
}
