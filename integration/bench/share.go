package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// relayed is a contender whose connections to both buses go through a relay,
// which writes when something passes.
type relayed struct {
	*contender
	processes []*exec.Cmd
	passings  *bufio.Reader
}

// startRelayed starts another process of a contender, behind its own relay.
// Before it starts the bridge's, the bridge's service must be stopped.
func (s *stage) startRelayed(name, short, program string) (*relayed, error) {
	r := &relayed{}
	var err error
	if name == bridge {
		service := *s.contenders[0]
		r.contender = &service
	} else if r.contender, err = s.prepareListener(name, short+"relayed", program); err != nil {
		return nil, err
	}
	socket := func(bus string) string { return "bench/" + short + "/" + bus }
	relay := s.Command(s.programs.path("relay"), socket("system"), "/run/dbus/system_bus_socket", socket("session"), sandbox.SessionBus)
	out, err := relay.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.passings = bufio.NewReader(out)
	if err := s.run(relay); err != nil {
		return nil, err
	}
	if _, err := r.passings.ReadString('\n'); err != nil {
		return nil, fmt.Errorf("the relay is not ready: %w", err)
	}
	client := s.Command(r.program, r.arguments...)
	client.Env = append(client.Env,
		"DBUS_SYSTEM_BUS_ADDRESS=unix:abstract="+socket("system"), "DBUS_SESSION_BUS_ADDRESS=unix:abstract="+socket("session"))
	listening, err := newReady()
	if err != nil {
		return nil, err
	}
	defer listening.Close()
	if _, err := listening.launch(client); err != nil {
		return nil, err
	}
	r.pid = client.Process.Pid
	r.processes = []*exec.Cmd{client, relay}
	s.started = append(s.started, client)
	return r, nil
}

// end ends the contender, and then its relay.
func (r *relayed) end() error {
	for _, cmd := range r.processes {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		_ = cmd.Wait() // ended by the signal
	}
	return nil
}

// share makes a change. It returns the time from the lid's signal going in to the
// first job coming out, and the time that the whole change took.
func (r *relayed) share(ctx context.Context, s *stage) (own, whole int64, err error) {
	began, ended, err := s.turn(ctx, r.contender)
	if err != nil {
		return 0, 0, err
	}
	in, err := r.passing("in", began)
	if err != nil {
		return 0, 0, err
	}
	out, err := r.passing("out", in)
	time.Sleep(pause)
	return out - in, ended - began, err
}

// passing waits until a message of a kind passes the relay after a moment, and
// returns when.
func (r *relayed) passing(kind string, after int64) (int64, error) {
	for {
		line, err := r.passings.ReadString('\n')
		if err != nil {
			return 0, fmt.Errorf("the relay has ended: %w", err)
		}
		var what string
		var at int64
		if _, err := fmt.Sscan(strings.TrimSpace(line), &what, &at); err != nil {
			return 0, fmt.Errorf("the relay wrote %q: %w", line, err)
		}
		if what == kind && at >= after {
			return at, nil
		}
	}
}

const ownShare = "its own share: from the signal in its socket to the job out of it"

// share measures a contender's own part of the latency, without the parts of both
// buses and of the user manager. It includes the kernel's part, which wakes up
// the contender and then the relay. The C program's share is hardly more than
// that.
func (s *stage) share(ctx context.Context, t *table) error {
	if err := s.prepareForSleep(ctx, true); err != nil {
		return err
	}
	if _, err := s.Systemctl("stop", "nm-session-bridge.service"); err != nil {
		return err
	}
	var all []*relayed
	for _, one := range []struct{ name, short, program string }{
		{bridge, "bridge", "nm-session-bridge"}, {bareC, "c", "listen"}, {bareGo, "go", "bare"},
	} {
		r, err := s.startRelayed(one.name, one.short, one.program)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	own := map[string]sample{}
	var base sample
	for round := range s.options.changes {
		for i := range all {
			r := all[(round+i)%len(all)]
			took, _, err := r.share(ctx, s)
			if err != nil {
				return err
			}
			own[r.name] = append(own[r.name], took)
		}
		began, ended, err := s.turn(ctx, s.floor)
		if err != nil {
			return err
		}
		base = append(base, ended-began)
		time.Sleep(pause)
	}
	for _, r := range all {
		f := t.addTimes(ownShare, r.name, own[r.name], base, "floor")
		if r.name == bridge {
			median, p99 := own[bridge].median()/own[bareGo].median(), own[bridge].p99()/own[bareGo].p99()
			f.Budget = within(fmt.Sprintf("≤ 1.1 × Go, godbus, and ≤ 1.2 × at p99 (measured: %.2f and %.2f)", median, p99), median <= 1.1 && p99 <= 1.2)
		}
		if err := r.end(); err != nil {
			return err
		}
	}
	addSpans(t, own, base)
	return s.restart()
}

// addSpans breaks down the bridge's own share. The programs do the same at a
// signal, and each has one more layer than the one before.
func addSpans(t *table, own map[string]sample, base sample) {
	before := 0.0
	for _, one := range []struct{ name, span string }{
		{bareC, "the kernel wakes it up, and it answers, as in C"},
		{bareGo, "Go's runtime and godbus, as in a plain program"},
		{bridge, "the bridge's own code"},
	} {
		median := own[one.name].median()
		t.add(figure{
			Subject: "its own share by span, from the medians", Of: one.span,
			Ratio: (median - before) / base.median(), To: "floor", Value: (median - before) / float64(time.Millisecond), Unit: "ms", N: len(base),
		})
		before = median
	}
}

// restart starts the bridge's service again.
func (s *stage) restart() error {
	if _, err := s.Systemctl("start", "nm-session-bridge.service"); err != nil {
		return err
	}
	var err error
	s.contenders[0].pid, err = s.bridgePID()
	return err
}
