package chaos

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// watch follows the user manager's stream of events, even across the ends of session buses.
type watch struct {
	news chan struct{} // has an element when there are new events
	stop context.CancelFunc

	mu       sync.Mutex
	live     bool // whether the stream is connected
	now      seen
	starts   int             // of units, in all
	active   map[string]bool // as far as events told
	missedAt time.Time       // when events were last missed
}

// seen is what the user manager reported in a round.
type seen struct {
	events  []sandbox.Event
	starts  map[string]int
	unended map[string]int // jobs that did not end as requested
	blind   bool           // whether events may have been missed
	broken  []string       // pairs of targets that were active at once
}

func newWatch(ctx context.Context, sb *sandbox.Sandbox) *watch {
	ctx, stop := context.WithCancel(ctx)
	w := &watch{news: make(chan struct{}, 1), stop: stop, active: map[string]bool{}}
	w.cut()
	go w.follow(ctx, sb)
	return w
}

func (w *watch) close() { w.stop() }

// seen returns what was reported in this round.
func (w *watch) seen() seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now
	now.starts, now.unended = maps.Clone(now.starts), maps.Clone(now.unended)
	return now
}

// cut ends a round and begins the next one.
func (w *watch) cut() seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	ended := w.now
	w.now = seen{starts: map[string]int{}, unended: map[string]int{}}
	return ended
}

// all returns the total number of starts of units.
func (w *watch) all() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.starts
}

func (w *watch) isLive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.live
}

func (w *watch) follow(ctx context.Context, sb *sandbox.Sandbox) {
	for ctx.Err() == nil {
		timeline, err := sb.Timeline(ctx)
		if err != nil {
			pause(ctx, retry)
			continue
		}
		w.setLive(true)
		for i := 0; err == nil; i++ {
			var event sandbox.Event
			if event, err = timeline.Event(ctx, i); err == nil {
				w.take(event)
			}
		}
		w.setLive(false)
		_ = timeline.Close() // has ended
	}
}

func (w *watch) setLive(live bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live = live
	if !live {
		w.miss()
	}
	w.tell()
}

// miss is called with mu held.
func (w *watch) miss() {
	w.now.blind, w.missedAt = true, time.Now()
	clear(w.active)
}

// tell is called with mu held.
func (w *watch) tell() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *watch) take(event sandbox.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch event.Kind {
	case sandbox.Interrupted:
		w.miss()
	case sandbox.JobRemoved:
		if event.Result != "done" {
			w.now.unended[event.Unit]++
		}
	case sandbox.UnitChanged:
		if event.Started {
			w.now.starts[event.Unit]++
			w.starts++
		}
		w.active[event.Unit] = event.Active == "active"
		w.checkPairs(event)
	}
	w.now.events = append(w.now.events, event)
	w.tell()
}

// readAnew is how long after an interruption the states are read one by one. Their order then says
// nothing about the order of events.
const readAnew = time.Second

// checkPairs is called with mu held.
func (w *watch) checkPairs(event sandbox.Event) {
	for _, pair := range pairs() {
		if (pair[0] == event.Unit || pair[1] == event.Unit) && w.active[pair[0]] && w.active[pair[1]] &&
			time.Since(w.missedAt) > readAnew {
			w.now.broken = append(w.now.broken, fmt.Sprintf("%s and %s are both active: %s", pair[0], pair[1], event))
		}
	}
}
