package observers

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// readTimeout bounds a call. Services answer within milliseconds; one that is
	// still starting may need seconds.
	readTimeout = 5 * time.Second
	// startTimeout bounds the start of a service, as the bus itself does
	// (dbus-daemon(1), service_start_timeout).
	startTimeout = 25 * time.Second
)

// calls are the unanswered calls, and the pause before the next attempt, if there
// is one.
type calls struct {
	pending []call // in the order in which they are answered
	retry   *time.Timer
	isPause bool          // whether the timer is running
	backoff time.Duration // how long the next pause after a failure is
	// held is an answer that came while signals were waiting, which are older. older is
	// how many of them are still to be handled, at most.
	held  *dbus.Call
	older int
}

// call is a method call and the function that handles its answer.
type call struct {
	*dbus.Call
	cancel context.CancelFunc
	take   func(context.Context, *dbus.Call)
}

func newCalls() calls {
	retry := time.NewTimer(lastRetry)
	retry.Stop()
	return calls{retry: retry, backoff: firstRetry}
}

// add makes a call that must be answered within the timeout.
func (c *calls) add(ctx context.Context, timeout time.Duration, send func(context.Context) *dbus.Call, take func(context.Context, *dbus.Call)) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	c.pending = append(c.pending, call{send(ctx), cancel, take})
}

// answered returns the channel of the next answer. signals is how many signals are
// waiting. If no answer is expected, or if older signals come first, the channel is nil,
// which blocks for ever.
func (c *calls) answered(signals int) <-chan *dbus.Call {
	c.older = min(c.older, signals)
	if len(c.pending) == 0 || c.older > 0 {
		return nil
	}
	return c.pending[0].Done
}

// isEarly reports whether the answer that came from the channel must wait for the signals
// that are waiting now. It does not wait for later ones, which may come for ever.
func (c *calls) isEarly(answer *dbus.Call, signals int) bool {
	if answer == c.held || signals == 0 {
		c.held = nil
		return false
	}
	c.held, c.older = answer, signals
	answer.Done <- answer // it has just been taken from there, so there is room
	return true
}

// take handles the answer that came from the channel.
func (c *calls) take(ctx context.Context, answer *dbus.Call) {
	first := c.pending[0]
	c.pending = c.pending[1:]
	first.cancel()
	first.take(ctx, answer)
}

// areUnderWay reports whether an answer is expected.
func (c *calls) areUnderWay() bool { return len(c.pending) > 0 }

// areBusy reports whether an answer is expected or a pause is running.
func (c *calls) areBusy() bool { return c.areUnderWay() || c.isPause }

// abandon ends all calls and the pause. It ignores the answers that still
// arrive.
func (c *calls) abandon() {
	c.retry.Stop()
	c.isPause = false
	for _, one := range c.pending {
		one.cancel()
	}
	c.pending = nil
}

// single returns the only value of an answer. dbus.Store would turn a number
// into a string, and panics on types that it has no signature for.
func single[T any](call *dbus.Call) (value T, err error) {
	if call.Err != nil {
		return value, call.Err
	}
	if len(call.Body) != 1 {
		return value, fmt.Errorf("the answer has %d values, not one", len(call.Body))
	}
	value, ok := call.Body[0].(T)
	if !ok {
		return value, fmt.Errorf("the answer is of type %T, not %T", call.Body[0], value)
	}
	return value, nil
}
