package main

import (
	"context"
	_ "embed" // the description of our bus interface
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/api"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bridge"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/history"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/inhibitor"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/overrides"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

const (
	// A bus that is not there is tried again after firstDial, then after twice
	// as long each time, up to lastDial, which leaves room for several signs of
	// life within the service's WatchdogSec=.
	firstDial = 100 * time.Millisecond
	lastDial  = 10 * time.Second
	// followTimeout bounds the subscription to a service.
	followTimeout = 10 * time.Second
)

//go:embed dist/org.nmsessionbridge.Bridge1.xml
var introspection string

func runCommand() command {
	return command{
		name:    "run",
		summary: "observe and keep the targets true",
		notes:   "This is what the user service does. SIGHUP has everything read anew.",
		examples: []example{
			{"run --switches=internet,lid", "keep the targets of two switches only"},
			{"run --limited-grace=30s", "take half a minute of limited connectivity for nothing"},
		},
		prepare: func(flags *flag.FlagSet) action {
			var options runOptions
			options.declare(flags)
			return func(ctx context.Context, out output, _ []string) error {
				// From a signal to a job each goroutine waits for the one before. More
				// threads would only be woken, and look for work in vain.
				runtime.GOMAXPROCS(1)
				return run(ctx, options, out.stderr)
			}
		},
	}
}

// run observes the system bus and keeps the targets true until the context
// ends. The targets stay as they are then.
func run(ctx context.Context, options runOptions, stderr *os.File) error {
	log := journal.New(stderr)
	hangup := hangups(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	sessionAddress, err := bus.SessionAddress()
	if err != nil {
		return err
	}
	session, err := dialPatiently(ctx, "session bus", sessionAddress, log)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	defer session.Close()
	system, err := dialPatiently(ctx, "system bus", bus.SystemAddress(), log)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	defer system.Close()

	switches := chosen(observers.Table(options.policy), options.switches)
	manager, err := follow(ctx, session, systemdctl.ManagerName, systemdctl.Matches()...)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	watching := watchers{}
	for _, source := range sourcesOf(switches) {
		service, err := follow(ctx, system, source.Name, source.Matches()...)
		if err != nil {
			return ignoreCanceled(ctx, err)
		}
		watching[source.ID] = observers.New(source, service, service, log)
	}

	units := systemdctl.New(ctx, manager, managed(switches), systemdctl.KernelClocks(), log)
	posted := make(chan func())
	joint := bridge.New(switches, units, watching, log)
	store := overrides.In(os.Getenv("XDG_RUNTIME_DIR"))
	held, err := store.Load()
	if err != nil {
		log.Warn(err.Error())
	}
	served, err := api.Serve(ctx, session, introspection, switchNames(), keeper{joint, store}, posted)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	loop := &bridge.Loop{
		Bridge:      joint,
		Units:       units,
		Observers:   slices.Collect(maps.Values(watching)),
		Delays:      delays(switches, units, posted, log),
		Posted:      posted,
		SystemLost:  system.Lost(),
		SessionLost: session.Lost(),
		Hangup:      hangup,
		Watchdog:    watchdog(ctx),
		Notify:      notify,
		Publish:     served.Publish,
		Rest:        debug.FreeOSMemory,
		Held:        held,
	}
	if err := loop.Run(ctx); err != nil {
		log.Error(err.Error())
		return loggedError{err}
	}
	log.Info(history.LastWords)
	notify("STOPPING=1")
	return nil
}

// watchers are the observers by the ID of their source.
type watchers map[string]*observers.Observer

// Demand implements [bridge.Sources].
func (w watchers) Demand(source string, need observers.Need) { w[source].Demand(need) }

// Forget implements [bridge.Sources].
func (w watchers) Forget(source string) { w[source].Forget() }

// keeper remembers what the bus has the bridge hold.
type keeper struct {
	*bridge.Bridge
	store overrides.Store
}

// Hold implements [api.Control].
func (k keeper) Hold(now time.Time, name, position string) error {
	if err := k.Bridge.Hold(now, name, position); err != nil {
		return err
	}
	return k.save()
}

// Release implements [api.Control].
func (k keeper) Release(now time.Time, name string) error {
	if err := k.Bridge.Release(now, name); err != nil {
		return err
	}
	return k.save()
}

func (k keeper) save() error {
	if err := k.store.Save(k.Held()); err != nil {
		return api.Failure{Err: fmt.Errorf("it is so now, but will not be after a restart of nm-session-bridge: %w", err)}
	}
	return nil
}

// delays returns a delay for each operation of logind that a switch wants held
// up.
func delays(switches []observers.Switch, units *systemdctl.Reconciler, post chan<- func(), log *slog.Logger) []*bridge.Delay {
	var all []*bridge.Delay
	take := func(ctx context.Context, what string) (io.Closer, error) {
		return inhibitor.Take(ctx, bus.SystemAddress(), what)
	}
	for _, s := range switches {
		if s.Delays != "" {
			all = append(all, bridge.NewDelay(s.Delays, take, units, post, log))
		}
	}
	return all
}

// dialPatiently waits for a bus to be there. Giving up would only make the
// service manager start the next process to wait.
func dialPatiently(ctx context.Context, what, address string, log *slog.Logger) (*bus.Conn, error) {
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

func follow(ctx context.Context, conn *bus.Conn, name string, rules ...[]dbus.MatchOption) (*bus.Service, error) {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	return conn.Follow(ctx, name, rules...)
}

// ignoreCanceled makes being told to stop no error.
func ignoreCanceled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// hangups turns SIGHUP into requests to read everything anew.
func hangups(ctx context.Context) <-chan struct{} {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	requests := make(chan struct{})
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			select {
			case <-ctx.Done():
				return
			case requests <- struct{}{}:
			}
		}
	}()
	return requests
}

// watchdog ticks twice in the time within which the service manager wants a
// sign of life, as sd_watchdog_enabled(3) advises; nil where it wants none.
func watchdog(ctx context.Context) <-chan time.Time {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return nil
	}
	ticker := time.NewTicker(interval / 2)
	context.AfterFunc(ctx, ticker.Stop)
	return ticker.C
}

// notify tells the service manager, where there is one. Its loss is not ours
// to report: nothing reads what we would say.
func notify(message string) {
	// systemd takes a backslash for the beginning of an escape, and drops it: seen with 252.
	_, _ = daemon.SdNotify(false, strings.ReplaceAll(message, `\`, `\\`))
}

func chosen(table []observers.Switch, names []string) []observers.Switch {
	if len(names) == 0 {
		return table
	}
	return slices.DeleteFunc(table, func(s observers.Switch) bool { return !slices.Contains(names, s.Name) })
}

func targetsOf(switches []observers.Switch) []string {
	var targets []string
	for _, s := range switches {
		for _, p := range s.Positions {
			for _, target := range p.Targets {
				if !slices.Contains(targets, target) {
					targets = append(targets, target)
				}
			}
		}
	}
	return targets
}

// managed says which targets the switches have managed.
func managed(switches []observers.Switch) systemdctl.Managed {
	m := systemdctl.Managed{Targets: targetsOf(switches)}
	for _, s := range switches {
		if s.Template != (observers.Template{}) {
			m.Patterns = append(m.Patterns, s.Template.Pattern())
		}
		if s.Yields {
			m.Yielding = append(m.Yielding, targetsOf([]observers.Switch{s})...)
		}
	}
	return m
}

func sourcesOf(switches []observers.Switch) []observers.Source {
	var sources []observers.Source
	for _, s := range switches {
		for _, source := range s.Sources {
			if !slices.ContainsFunc(sources, func(other observers.Source) bool { return other.ID == source.ID }) {
				sources = append(sources, source)
			}
		}
	}
	return sources
}
