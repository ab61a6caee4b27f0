// Package daemon is the half of the program that stays in memory. It dials both
// buses and connects the parts: the observers of the system bus, the bridge that
// decides, the reconciler that moves the targets, and the API on the session
// bus. Only the command run uses it.
package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/api"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/bridge"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/origin"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/overrides"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Outdated is the status of a process whose program was replaced. The service's
// RestartForceExitStatus= names it, so that the new program starts. It is EX_TEMPFAIL of
// sysexits.h(3head).
const Outdated = 75

// Config says what the daemon does.
type Config struct {
	// Switches are the switches to keep.
	Switches observers.Switches
	// Policy says how to read facts.
	Policy observers.Policy
	// Introspection describes the bridge's object on the session bus
	// (https://dbus.freedesktop.org/doc/dbus-specification.html#introspection-format).
	Introspection string
}

// LoggedError is an error that has been logged already.
type LoggedError struct{ error }

// Run observes the system bus and keeps the targets true until the context ends,
// which is not an error. It leaves the targets as they are. The loss of a bus is
// a [LoggedError].
//
// Run also ends when the program's file has changed: with [origin.ErrReplaced] if there is
// another file, after the user manager has read all units again, and without an error if
// the file is gone, after the targets have been stopped.
func Run(ctx context.Context, config Config, log *slog.Logger) error {
	hangup := hangups(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	service := newNotifier(tellManager)
	defer service.end("STOPPING=1")
	sessionAddress, err := bus.SessionAddress()
	if err != nil {
		return err
	}
	store, err := overrides.In(os.Getenv("XDG_RUNTIME_DIR"))
	if err != nil {
		return err
	}
	dialling := later(func() (*bus.Conn, error) {
		return dialPatiently(ctx, "system bus", bus.SystemAddress(), service.notify, log)
	})
	session, err := dialPatiently(ctx, "session bus", sessionAddress, service.notify, log)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	defer session.Close()
	system, err := dialling()
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	defer system.Close()

	sources := config.Switches.Sources()
	observing := make([]func() (*observers.Observer, error), len(sources))
	for i, source := range sources {
		observing[i] = later(func() (*observers.Observer, error) {
			filter := observers.NewFilter(source)
			followed, err := follow(ctx, system, source.Name, filter, source.Matches()...)
			if err != nil {
				return nil, err
			}
			return observers.New(filter, followed, followed, log), nil
		})
	}
	manager, err := follow(ctx, session, systemdctl.ManagerName, bus.Everything{}, systemdctl.Matches()...)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	byID := observersByID{}
	for i, source := range sources {
		observer, err := observing[i]()
		if err != nil {
			return ignoreCanceled(ctx, err)
		}
		byID[source.ID] = observer
	}

	clock := time.Now // for everything that keeps time
	clocks := systemdctl.KernelClocks()
	inbox := make(bridge.Inbox)
	units := systemdctl.New(ctx, manager, config.Switches, inbox.PostMoved(ctx), clock, clocks, log)
	b := bridge.New(config.Switches, config.Policy, units, units, units, byID, clock, log)
	own, err := origin.Started()
	if err != nil {
		return err
	}
	var isOnly atomic.Bool
	ticks, leave := make(chan struct{}), make(chan error)
	go own.Watch(ctx, ticks, func(ctx context.Context) (string, error) {
		return systemdctl.UnitFile(ctx, manager, systemdctl.ServiceName)
	}, leave)
	var garbage collector
	served := api.New(ctx, session, config.Introspection, observers.Table().Names(), savingControl{b, store, config.Switches}, inbox)
	err = bridge.Run(ctx, bridge.Config{
		Bridge:      b,
		Units:       units,
		Observers:   slices.Collect(maps.Values(byID)),
		Delays:      delays(config.Switches, units, inbox, clock, log),
		Inbox:       inbox,
		SystemLost:  system.Lost(),
		SessionLost: session.Lost(),
		Hangup:      hangup,
		Watchdog:    watchdog(ctx),
		Tick:        func() { offer(ticks) },
		Leave:       leave,
		Slept:       func() time.Duration { return clocks.Boottime.Now() - clocks.Monotonic.Now() },
		Notify:      service.notify,
		Publish:     served.Publish,
		Rest:        garbage.rest,
		Work:        garbage.work,
		Now:         clock,
		Claim: func(ctx context.Context, waits func(string)) error {
			err := served.Claim(ctx, waits)
			isOnly.Store(err == nil)
			return err
		},
		Held: func() map[string]string {
			held, err := store.Load()
			if err != nil {
				log.Warn(err.Error())
			}
			return held
		},
	})
	switch {
	case errors.Is(err, origin.ErrReplaced):
		log.Info("the program was replaced; the new one takes over")
		warn(log, systemdctl.ReadFilesAgain(ctx, manager))
		isStartedAgain, err := systemdctl.StartsAgain(ctx, manager, os.Getpid(), Outdated)
		warn(log, err)
		log.Info(journal.LastWords)
		return own.Succeed(isStartedAgain)
	case errors.Is(err, origin.ErrRemoved) && !isOnly.Load():
		log.Info("the program was removed; another bridge owns the targets")
	case errors.Is(err, origin.ErrRemoved):
		log.Info("the program was removed; stopping its targets")
		warn(log, systemdctl.StopOrphans(ctx, manager, units.Active()))
		warn(log, systemdctl.ReadFilesAgain(ctx, manager))
		warn(log, store.Forget())
	case err != nil:
		log.Error(err.Error())
		return LoggedError{err}
	}
	log.Info(journal.LastWords)
	return nil
}

// offer sends a tick, unless the previous one is still being handled.
func offer(ticks chan<- struct{}) {
	select {
	case ticks <- struct{}{}:
	default:
	}
}

func warn(log *slog.Logger, err error) {
	if err != nil {
		log.Warn(err.Error())
	}
}

// observersByID are the observers by the ID of their source.
type observersByID map[string]*observers.Observer

// Demand implements [bridge.Sources].
func (o observersByID) Demand(source string, need observers.Need) { o[source].Demand(need) }

// delays returns a delay for each operation of logind that a switch holds up.
func delays(switches observers.Switches, units *systemdctl.Reconciler, inbox bridge.Inbox, now func() time.Time, log *slog.Logger) []*bridge.Delay {
	var all []*bridge.Delay
	take := func(ctx context.Context, what string) (io.Closer, error) {
		return bridge.TakeDelayLock(ctx, bus.SystemAddress(), what)
	}
	for _, s := range switches {
		if s.Delays != "" {
			all = append(all, bridge.NewDelay(s.Delays, switches.Before(s.Delays), take, units, inbox, now, log))
		}
	}
	return all
}
