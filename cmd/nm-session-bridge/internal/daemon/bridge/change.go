package bridge

import (
	"context"
	"slices"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Change is what has happened in a pass of the loop, or in a part of it. Methods
// that do something return one, and the end of the pass acts on it.
type Change struct {
	// Moved is what something else has done to the targets.
	Moved systemdctl.Moved
	// Stale reports whether everything must be read again, because an operation that
	// may have changed everything is over.
	Stale bool
	// View reports whether [Bridge.View] has changed.
	View bool
	// Entered are the transitions that have begun, in order.
	Entered []Transition
	// Urgent reports whether somebody waits for the news.
	Urgent bool
	// Told are called at the end of the pass. Urgent news has been told by then.
	Told []func()
}

// add adds the change that happened next.
func (c *Change) add(next Change) {
	c.Moved.Yielding = c.Moved.Yielding || next.Moved.Yielding
	c.Moved.Done = append(c.Moved.Done, next.Moved.Done...)
	c.Moved.Unused = append(c.Moved.Unused, next.Moved.Unused...)
	c.Moved.Strays = append(c.Moved.Strays, next.Moved.Strays...)
	c.Stale = c.Stale || next.Stale
	c.View = c.View || next.View
	c.Entered = append(slices.Clip(c.Entered), next.Entered...)
	c.Urgent = c.Urgent || next.Urgent
	c.Told = append(slices.Clip(c.Told), next.Told...)
}

// Inbox is where other goroutines leave work for the loop's goroutine.
type Inbox chan func() Change

// Post leaves work. It waits until the loop takes it, and reports whether that
// was before the context ended.
func (i Inbox) Post(ctx context.Context, do func() Change) bool {
	select {
	case i <- do:
		return true
	case <-ctx.Done():
		return false
	}
}

// PostMoved leaves a reply of the user manager, which says what has moved.
func (i Inbox) PostMoved(ctx context.Context) func(take func() systemdctl.Moved) {
	return func(take func() systemdctl.Moved) {
		i.Post(ctx, func() Change { return Change{Moved: take()} })
	}
}
