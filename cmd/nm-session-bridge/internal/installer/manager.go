package installer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// jobTimeout bounds the wait for a job of the user manager. The service is ready within
// moments, but a target stops only after its units.
const jobTimeout = 2 * time.Minute

// connect connects to the user manager over the session bus. The connection ends with the
// context, until keep is called. The caller does so before it changes files, because the
// manager must read them even after an interrupt. The result of keep reports whether the
// connection is still there.
func connect(ctx context.Context) (manager *systemd.Conn, keep func() bool, err error) {
	address, err := bus.SessionAddress()
	if err != nil {
		return nil, nil, err
	}
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	keep = context.AfterFunc(ctx, end)
	// go-systemd opens two connections and does not share them.
	manager, err = systemd.NewConnection(func() (*dbus.Conn, error) {
		return bus.Connect(lasting, address)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot reach the session bus at %s: %w; %s", address, err, bus.Place())
	}
	// The manager signals the ends of jobs only to subscribers.
	if err := manager.Subscribe(); err != nil {
		manager.Close()
		return nil, nil, fmt.Errorf("there is no systemd user manager on the session bus: %w; see loginctl user-status", err)
	}
	return manager, keep, nil
}

// finish requests a job and waits for its end.
func finish(ctx context.Context, ask func(context.Context, string, string, chan<- string) (int, error), unit string) error {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	result := make(chan string, 1) // go-systemd sends to it while it holds a lock
	if _, err := ask(ctx, unit, "replace", result); err != nil {
		return fmt.Errorf("cannot get a job for %s: %w", unit, err)
	}
	select {
	case r := <-result:
		if r != "done" {
			return fmt.Errorf("the job of %s ended with result %s", unit, r)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cannot wait for the job of %s: %w", unit, ctx.Err())
	}
}

func isNotLoaded(err error) bool {
	var refusal dbus.Error
	return errors.As(err, &refusal) && slices.Contains([]string{
		systemdctl.ManagerName + ".NoSuchUnit",
		systemdctl.ManagerName + ".UnitMasked",
	}, refusal.Name)
}

// property reads a property of the bridge's own service.
func property[T any](ctx context.Context, manager *systemd.Conn, unitType, name string) (T, error) {
	var value T
	p, err := manager.GetUnitTypePropertyContext(ctx, systemdctl.ServiceName, unitType, name)
	if err == nil {
		err = p.Value.Store(&value)
	}
	if err != nil {
		return value, fmt.Errorf("cannot read %s of %s: %w", name, systemdctl.ServiceName, err)
	}
	return value, nil
}
