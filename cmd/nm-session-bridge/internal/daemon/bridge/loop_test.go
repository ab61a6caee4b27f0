package bridge

import (
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func TestWhatBecomesOfALockIsToldWithTheRest(t *testing.T) {
	s := newSmith(t)
	s.follow(time.Now(), ":1.1", false)
	s.arrives()
	b, _, reading, _ := begin()
	*reading = observers.Reading{Position: "open"}
	var told View
	l := &Loop{
		Bridge: b, Delays: []*Delay{s.delay}, adopted: true, ready: true,
		Notify:  func(string) {},
		Publish: func(view View, _ []Transition) { told = view },
	}
	b.Observe(time.Now(), facts) // of a logind that is gone
	l.tellNews(t.Context(), time.Now(), true)
	if got := told.Facts["sleep.lock"]; s.held != 0 || got != "not held" {
		t.Errorf("the lock is told to be %q, and %d are held", got, s.held)
	}
}
