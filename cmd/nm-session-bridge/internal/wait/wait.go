// Package wait waits until switches are in positions.
//
// # Goroutines
//
// The client's goroutine delivers the bridge's states. Each state in which all
// conditions hold starts a look at the targets on another goroutine; the next state
// ends that look.
package wait

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/abbrev"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Until returns nil once all conditions hold at the same time and the targets of
// other positions have stopped. It does not wait for the targets of the positions
// themselves, so that a unit that such a target wants can wait, too. The error is
// [client.ErrNotRunning] if no bridge is running at the first look; later it waits for the
// next one. If the context ends first, the error says what is missing.
func Until(ctx context.Context, conditions []Condition) error {
	following, end := context.WithCancelCause(ctx)
	defer end(nil)
	session, err := bus.ConnectSession(following)
	if err != nil {
		return err
	}
	defer session.Close()
	manager, err := bus.ConnectSession(following)
	if err != nil {
		return err
	}
	defer manager.Close()
	w := &waiter{conditions: conditions, manager: manager, end: end, giveUp: func() {}, missing: "no bridge has answered"}
	err = client.New(session).Follow(following, func(state client.State, err error) { w.news(following, state, err) })
	w.looks.Wait()
	switch cause := context.Cause(following); {
	case err != nil:
		return err
	case errors.Is(cause, errReached):
		return nil
	case ctx.Err() != nil:
		return errors.New(w.missing)
	default:
		return cause
	}
}

// errReached ends the wait.
var errReached = errors.New("reached")

type waiter struct {
	conditions []Condition
	manager    *dbus.Conn
	end        context.CancelCauseFunc
	heard      bool

	giveUp context.CancelFunc // ends the present look at the targets
	looks  sync.WaitGroup
	// missing says what the wait still needs.
	missing string
}

// news handles a state of the bridge, or the error that no bridge is running.
func (w *waiter) news(ctx context.Context, state client.State, err error) {
	w.giveUp()
	w.looks.Wait()
	isFirst := !w.heard
	w.heard = true
	if err != nil {
		w.missing = err.Error()
		if isFirst {
			w.end(err)
		}
		return
	}
	var missing []string
	for _, c := range w.conditions {
		switch position := state.Positions[client.PropertyOf(c.of.Name)]; {
		case position == client.Off:
			w.end(fmt.Errorf("the bridge leaves out the switch %s: its --switches= names others", c.of.Name))
			return
		case !c.holds(position):
			missing = append(missing, c.failure(state))
		}
	}
	if len(missing) > 0 {
		w.missing = strings.Join(missing, "; ")
		return
	}
	look, giveUp := context.WithCancel(ctx)
	w.giveUp = giveUp
	w.looks.Add(1)
	go func() {
		defer w.looks.Done()
		w.look(look, state)
	}()
}

// look ends the wait once the targets of other positions have stopped.
func (w *waiter) look(ctx context.Context, state client.State) {
	left, err := systemdctl.AwaitInactive(ctx, w.manager, func(target string) bool {
		for _, c := range w.conditions {
			if c.concerns(state.Positions[client.PropertyOf(c.of.Name)], target) {
				return true
			}
		}
		return false
	})
	switch {
	case err == nil:
		w.end(errReached)
	case ctx.Err() != nil:
		w.missing = "not stopped yet: " + abbrev.List(left, ", ")
	default:
		w.end(err)
	}
}
