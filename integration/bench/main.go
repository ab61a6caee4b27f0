// Bench measures the bridge, and other ways to do its work, in a sandbox with a
// real dbus-daemon, NetworkManager and systemd --user. It prints one table and
// writes it as JSON and as a chart. It takes some minutes and needs root and a
// quiet machine:
//
//	go run ./integration/bench
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// options says how much is measured.
type options struct {
	changes     int           // changes of each contender
	idle        time.Duration // how long each contender is watched doing nothing
	flood       int           // signals of a stranger
	transitions int           // transitions before memory is measured
	only        string        // the part that is measured alone; "" for all
	out         string        // directory of the JSON and the chart
}

// fewer is how many changes are enough for a figure with many parts.
func (o options) fewer() int { return max(o.changes/3, 1) }

func main() {
	var o options
	flag.IntVar(&o.changes, "changes", 120, "how many changes each figure of latency is taken from")
	flag.DurationVar(&o.idle, "idle", time.Minute, "how long everything is watched at rest, and half of it while NetworkManager chatters")
	flag.IntVar(&o.flood, "flood", 100_000, "measure memory after this many foreign signals")
	flag.IntVar(&o.transitions, "transitions", 1000, "measure memory after this many transitions")
	flag.StringVar(&o.only, "only", "", "measure and print one `part` alone: size, rest, where, reading, memory, latency, share, programs, flood, start, units, sessions or connections")
	flag.StringVar(&o.out, "out", "integration/bench", "the `directory` for figures.json and chart.svg")
	flag.Parse()
	if flag.NArg() > 0 || o.changes < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if sandbox.Outside() {
		if err := prepare(); err != nil {
			return err
		}
	}
	if err := sandbox.Enter(""); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	t, err := measure(ctx, o)
	if err != nil {
		return err
	}
	t.Machine = describeMachine(began)
	fmt.Print(t.markdown())
	if o.only != "" {
		return nil // the other figures stay as they were
	}
	return t.write(o.out)
}

// prepare does everything that needs the machine's own network: it fetches
// packages and modules.
func prepare() error {
	if _, err := os.Stat("integration/bench/main.go"); err != nil {
		return errors.New("run it in the repository's root: go run ./integration/bench")
	}
	if os.Geteuid() != 0 {
		return sandbox.ErrNotRoot
	}
	packages := exec.Command("go", "run", "./integration/packages", "bench")
	packages.Stdout, packages.Stderr = os.Stderr, os.Stderr
	if err := packages.Run(); err != nil {
		return fmt.Errorf("cannot install what is missing: %w", err)
	}
	// This fills the caches, because there is no network inside to fetch
	// modules from.
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	return errors.Join(buildGo(scratch), os.RemoveAll(scratch))
}

// measure brings up the sandbox, measures everything and takes the sandbox
// down.
func measure(ctx context.Context, o options) (t *table, err error) {
	programs, err := buildAll()
	if err != nil {
		return nil, err
	}
	s, err := newStage(ctx, o, programs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	t = &table{}
	for _, part := range []struct {
		name    string
		measure func(context.Context, *table) error
	}{
		{"size", s.size},
		{"rest", s.atRest},
		{"where", s.where},
		{"reading", s.secondReading},
		{"memory", s.afterWork},
		{"latency", s.latency},
		{"share", s.share},
		{"programs", s.startPrograms},
		{"flood", s.floodAll},
		{"start", s.start},
		{"units", s.growUnits},
		{"sessions", s.growSessions},
		{"connections", s.growConnections},
	} {
		if o.only != "" && o.only != part.name {
			continue
		}
		began := time.Now()
		if err := part.measure(ctx, t); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %.0f s\n", part.name, time.Since(began).Seconds())
	}
	return t, nil
}
