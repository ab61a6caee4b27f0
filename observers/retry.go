package observers

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// A failed reading is tried again after firstRetry, then after twice as long
	// each time, up to lastRetry.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
	// Before the fourth retry a service has had 1.5 s to create its objects;
	// NetworkManager 1.42 was seen to need 0.4 s.
	stillEarly = 8 * firstRetry
)

// areFailing reports whether the last attempt has failed.
func (c *calls) areFailing() bool { return c.backoff > firstRetry }

// pause abandons the calls and starts the timer.
func (c *calls) pause(d time.Duration) {
	c.abandon()
	c.isPause = true
	c.retry.Reset(d)
}

// failed pauses before the next attempt, longer each time.
func (c *calls) failed() {
	c.pause(c.backoff)
	c.backoff = min(2*c.backoff, lastRetry)
}

// succeeded makes the next failure the first.
func (c *calls) succeeded() { c.backoff = firstRetry }

// failed handles the failure of a call to an object. A missing object is
// forgotten, because its parent will soon no longer name it. Any other failure,
// or any failure of the root, ends the reading.
func (o *Observer) failed(ctx context.Context, one *object, err error) {
	if one != o.root && isUnknown(err) {
		one.isGone = true
		o.goOn(ctx)
		return
	}
	o.readingFailed(err)
}

// readingFailed tries again later. NetworkManager before 1.44 owns its name
// before its objects exist, so the first failures of that kind are not reported.
func (o *Observer) readingFailed(err error) {
	isEarly := o.calls.backoff <= stillEarly && isUnknown(err)
	o.calls.failed()
	switch {
	case isEarly:
		return
	case o.source.Transient && isUnknown(err):
		o.root.vanish()
		o.tellApart()
		o.problem = ""
		return
	}
	const silence = "does not answer"
	if o.sent.Problem != o.source.Label+" "+silence {
		o.log.Warn(o.source.Label+" "+silence+"; trying again", "error", err)
	}
	if len(o.root.values) == 0 {
		o.fails(silence)
	}
}

// isUnknown reports whether an error says that an object does not exist, or not
// yet.
func isUnknown(err error) bool {
	var refusal dbus.Error
	return errors.As(err, &refusal) && slices.Contains([]string{
		"org.freedesktop.DBus.Error.UnknownMethod",
		"org.freedesktop.DBus.Error.UnknownObject",
		"org.freedesktop.DBus.Error.UnknownInterface",
	}, refusal.Name)
}
