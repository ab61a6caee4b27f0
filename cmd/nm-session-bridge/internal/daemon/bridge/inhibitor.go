package bridge

import (
	"context"
	"fmt"
	"io"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
)

const (
	lockWho = "nm-session-bridge"
	lockWhy = "Units have to finish first"
)

// TakeDelayLock takes a delay lock on an operation such as "sleep" from the logind
// on the bus at a D-Bus address (Inhibit(s what, s who, s why, s mode),
// org.freedesktop.login1(5)). Closing the lock, which is a file, lets the
// operation continue.
func TakeDelayLock(ctx context.Context, address, what string) (io.Closer, error) {
	lock, err := bus.CallForFile(ctx, address, "org.freedesktop.login1", "/org/freedesktop/login1",
		"org.freedesktop.login1.Manager", "Inhibit", what, lockWho, lockWhy, "delay")
	if err != nil {
		return nil, fmt.Errorf("cannot take a delay lock on %s: %w", what, err)
	}
	return lock, nil
}
