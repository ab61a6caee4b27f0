package systemdctl

import (
	"context"
	"errors"
	"fmt"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// AwaitInactive returns once the user manager on a session bus has stopped all the
// targets that concern the caller. If the context ends first, it returns the context's
// error and the targets that were active, starting or stopping at the last look.
func AwaitInactive(ctx context.Context, conn *dbus.Conn, concerns func(target string) bool) (left []string, err error) {
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	defer conn.RemoveSignal(signals)
	jobs := []dbus.MatchOption{
		dbus.WithMatchSender(ManagerName), dbus.WithMatchObjectPath(managerPath),
		dbus.WithMatchInterface(managerInterface), dbus.WithMatchMember("JobRemoved"),
	}
	if err := conn.AddMatchSignalContext(ctx, jobs...); err != nil {
		return nil, fmt.Errorf("cannot follow the user manager: %w", err)
	}
	defer func() { _ = conn.RemoveMatchSignal(jobs...) }()
	for {
		listed, err := listRunning(ctx, conn, concerns)
		switch {
		case ctx.Err() != nil:
			return left, ctx.Err()
		case err != nil || len(listed) == 0:
			return nil, err
		}
		left = listed
		select {
		case <-ctx.Done():
			return left, ctx.Err()
		case _, isOpen := <-signals:
			if !isOpen && ctx.Err() == nil {
				return left, errors.New("the session bus is gone")
			}
		}
	}
}

// listRunning returns the targets that concern the caller and are not inactive. The
// manager lists all targets, because a pattern cannot name one with a backslash.
func listRunning(ctx context.Context, conn *dbus.Conn, concerns func(target string) bool) ([]string, error) {
	var units []systemd.UnitStatus
	states := []string{"active", "activating", "deactivating"} // targets have no other running states
	call := conn.Object(ManagerName, managerPath).CallWithContext(ctx, managerInterface+".ListUnitsByPatterns", dbus.FlagNoAutoStart, states, []string{"*.target"})
	if err := call.Store(&units); err != nil {
		return nil, fmt.Errorf("cannot ask the user manager for its targets: %w", err)
	}
	var running []string
	for _, unit := range units {
		if concerns(unit.Name) {
			running = append(running, unit.Name)
		}
	}
	return running, nil
}
