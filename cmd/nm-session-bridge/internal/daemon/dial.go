package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
)

const (
	// If a bus is missing, the next attempt follows after firstDial, then after twice
	// as long each time, up to lastDial. That leaves room for several signs of life
	// within the service's WatchdogSec=.
	firstDial = 100 * time.Millisecond
	lastDial  = 10 * time.Second
	// followTimeout bounds the subscription to a service.
	followTimeout = 10 * time.Second
)

// dialPatiently waits until it can connect to a bus. If it gave up, the service
// manager would start another process, which would wait instead.
func dialPatiently(ctx context.Context, what, address string, notify func(string), log *slog.Logger) (*bus.Conn, error) {
	for pause := firstDial; ; pause = min(2*pause, lastDial) {
		conn, err := bus.Dial(ctx, address)
		if err == nil {
			return conn, nil
		}
		if pause == firstDial {
			log.Warn("cannot reach the "+what+"; waiting for it", "address", address, "error", err)
		}
		notify("READY=1\nWATCHDOG=1\nSTATUS=waiting for the " + what + " at " + address)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// later starts something that waits for a bus, and returns a function that waits for
// the result. The start takes half the time if such waits overlap.
func later[T any](do func() (T, error)) (result func() (T, error)) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := do()
		done <- outcome{value, err}
	}()
	return func() (T, error) {
		o := <-done
		return o.value, o.err
	}
}

func follow(ctx context.Context, conn *bus.Conn, name string, filter bus.Filter, rules ...string) (*bus.Service, error) {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	return conn.Follow(ctx, name, filter, rules...)
}

// ignoreCanceled returns nil if the program was told to stop, which is not an
// error.
func ignoreCanceled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
