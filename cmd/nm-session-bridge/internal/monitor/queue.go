package monitor

import (
	"context"
	"slices"
	"sync"
)

// mostWaiting is how many changes wait for a reader that pauses. A pager shows about
// fifty, and each takes a few hundred bytes.
const mostWaiting = 1000

// queue keeps changes in order until they are written. If too many wait, it leaves
// out changes that a later one of the same switch has outdated.
type queue struct {
	news chan struct{} // has room for one

	mu      sync.Mutex
	waiting []change
	latest  []change // to be written after those, one for each switch
	omitted int      // how many changes latest has no room for
	isEnded bool     // whether no more will come
}

func newQueue() *queue { return &queue{news: make(chan struct{}, 1)} }

// add adds a change.
func (q *queue) add(c change) {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.wake()
	if len(q.latest) == 0 && len(q.waiting) < mostWaiting {
		q.waiting = append(q.waiting, c)
		return
	}
	before := len(q.latest)
	q.latest = slices.DeleteFunc(q.latest, func(one change) bool { return one.Switch == c.Switch })
	q.omitted += before - len(q.latest)
	q.latest = append(q.latest, c)
}

// end says that nothing more will be added.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.isEnded = true
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.news <- struct{}{}:
	default:
	}
}

// writeAll writes the changes as they come, until writing fails, the context ends, or
// everything is written after end was called.
func (q *queue) writeAll(ctx context.Context, write func(change) error) {
	for {
		next, isEnd := q.take()
		for _, c := range next {
			if write(c) != nil {
				return
			}
		}
		switch {
		case len(next) > 0:
			continue
		case isEnd:
			return
		}
		select {
		case <-q.news:
		case <-ctx.Done():
			return
		}
	}
}

// take returns the changes to write next, and reports whether they are the last.
func (q *queue) take() (next []change, isEnd bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case len(q.waiting) > 0:
		next = []change{q.waiting[0]}
		q.waiting = q.waiting[1:]
	case len(q.latest) > 0:
		if q.omitted > 0 {
			next = []change{{Time: q.latest[0].Time, Omitted: q.omitted}}
		}
		next = append(next, q.latest...)
		q.latest, q.omitted = nil, 0
	}
	return next, q.isEnded
}
