package api

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
)

const (
	// callTimeout bounds a call of the bus, which answers in a millisecond.
	callTimeout = 10 * time.Second
	// quietWait is how long Claim waits before it reports that somebody else has
	// the name. A bridge that has just ended may still have it for a moment.
	quietWait = 500 * time.Millisecond
)

// Claim takes the bridge's name on the session bus, and returns when it is ours. If
// somebody else has it, Claim waits in the queue until the context ends, and
// reports once who that is.
func (a *API) Claim(ctx context.Context, waits func(holder string)) error {
	a.conn.Serve(a.answer)
	var reply uint32
	if err := a.ask(ctx, "RequestName", client.Name, uint32(0)).Store(&reply); err != nil {
		return fmt.Errorf("cannot take the name %s: %w", client.Name, err)
	}
	if dbus.RequestNameReply(reply) == dbus.RequestNameReplyInQueue {
		return a.standInLine(ctx, waits)
	}
	return nil
}

func (a *API) standInLine(ctx context.Context, waits func(holder string)) error {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	name, err := a.conn.Follow(limited, client.Name, bus.Everything{})
	if err != nil {
		return err
	}
	var owner string
	said := time.After(quietWait)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-said:
			waits(a.describe(ctx, owner))
		case signal := <-name.Signals():
			if signal.Name != busName+".NameOwnerChanged" {
				continue
			}
			if owner, _ = signal.Body[2].(string); owner == a.conn.Names()[0] {
				return nil
			}
		}
	}
}

// describe says who a connection is.
func (a *API) describe(ctx context.Context, owner string) string {
	var pid uint32
	if err := a.ask(ctx, "GetConnectionUnixProcessID", owner).Store(&pid); err != nil {
		return owner
	}
	return fmt.Sprintf("process %d (%s)", pid, owner)
}

func (a *API) ask(ctx context.Context, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return a.conn.BusObject().CallWithContext(ctx, busName+"."+method, 0, args...)
}
