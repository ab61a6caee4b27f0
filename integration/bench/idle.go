package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	nmName = "org.freedesktop.NetworkManager"
	nmPath = dbus.ObjectPath("/org/freedesktop/NetworkManager")
	// settling is how long the bench leaves a program alone after it has done
	// something. The bridge checks an activated target again after ten seconds, and
	// returns memory five seconds later.
	settling = 20 * time.Second
	// watchdogTick is how often the bridge gives a sign of life: twice in the
	// WatchdogSec= of its unit.
	watchdogTick = 30 * time.Second
	// chatter is how often NetworkManager checks whether it has something to signal,
	// in milliseconds.
	chatter = uint32(100)
)

// atRest watches everything while nothing happens, and then while NetworkManager
// sends signals of no interest: the statistics of its devices. Wi-Fi scans cause
// similar signals, from objects other than NetworkManager's own.
func (s *stage) atRest(ctx context.Context, t *table) error {
	if err := wait(ctx, settling); err != nil {
		return err
	}
	if err := s.remember(t, restSubject); err != nil {
		return err
	}
	if err := s.watchIdle(ctx, t, s.options.idle, "at rest", func() string { return "" }); err != nil {
		return err
	}
	tap, err := s.hearNetworkManager(ctx)
	if err != nil {
		return err
	}
	defer tap.close()
	if err := s.haveDevicesTell(ctx, chatter); err != nil {
		return err
	}
	checking, stop := context.WithCancel(ctx)
	defer stop()
	go s.keepChecking(checking)
	err = s.watchIdle(ctx, t, s.options.idle/2, "while NetworkManager chatters", func() string {
		return fmt.Sprintf(", %d signals", len(tap.seen))
	})
	if err != nil {
		return err
	}
	return s.haveDevicesTell(ctx, 0)
}

// watchIdle counts what the residents do while nothing concerns them.
func (s *stage) watchIdle(ctx context.Context, t *table, long time.Duration, when string, more func() string) error {
	before := map[string]work{}
	for _, c := range s.residents() {
		var err error
		if before[c.name], err = workOf(c.pid); err != nil {
			return err
		}
	}
	woken, err := s.countWakeUps(ctx, long)
	if err != nil {
		return err
	}
	done := map[string]work{}
	for _, c := range s.residents() {
		after, err := workOf(c.pid)
		if err != nil {
			return err
		}
		done[c.name] = after.since(before[c.name])
	}
	subject := fmt.Sprintf("%v %s%s: ", long, when, more())
	for _, one := range []struct {
		what, unit string
		take       func(work) float64
	}{
		{"voluntary context switches", "", func(w work) float64 { return float64(w.switches) }},
		{"times a thread ran", "", func(w work) float64 { return float64(w.slices) }},
		{"CPU time", "ms", func(w work) float64 { return float64(w.cpu) / 1e6 }},
	} {
		for _, c := range s.residents() {
			t.add(figure{Subject: subject + one.what, Of: c.name, Value: one.take(done[c.name]), Unit: one.unit, N: 1})
		}
	}
	for _, c := range s.residents() {
		f := t.add(figure{Subject: subject + "wake-ups", Of: c.name, Value: float64(woken[c.name]), N: 1})
		if c.name == bridge {
			most := math.Ceil(long.Seconds() / watchdogTick.Seconds())
			f.Budget = atMost(fmt.Sprintf("≤ %.0f, the watchdog's", most), f.Value, most)
		}
	}
	return nil
}

// countWakeUps counts how often each resident does something after it has done nothing
// for a moment.
func (s *stage) countWakeUps(ctx context.Context, long time.Duration) (map[string]int, error) {
	const moment = 100 * time.Millisecond
	woken, before, isAwake := map[string]int{}, map[string]int64{}, map[string]bool{}
	for began := time.Now(); time.Since(began) < long; {
		for _, c := range s.residents() {
			now, err := workOf(c.pid)
			if err != nil {
				return nil, err
			}
			last, known := before[c.name]
			moved := known && now.switches != last
			if moved && !isAwake[c.name] {
				woken[c.name]++
			}
			before[c.name], isAwake[c.name] = now.switches, moved
		}
		if err := wait(ctx, moment); err != nil {
			return nil, err
		}
	}
	return woken, nil
}

// hearNetworkManager taps all signals of NetworkManager.
func (s *stage) hearNetworkManager(ctx context.Context) (*tap, error) {
	conn, err := s.SystemBus.Connect(ctx)
	if err != nil {
		return nil, err
	}
	err = conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(nmName))
	return newTap(conn), err
}

// haveDevicesTell makes each device signal its statistics at an interval in
// milliseconds; 0 means never.
func (s *stage) haveDevicesTell(ctx context.Context, interval uint32) error {
	var devices []dbus.ObjectPath
	call := s.system.Object(nmName, nmPath).CallWithContext(ctx, nmName+".GetDevices", 0)
	if err := call.Store(&devices); err != nil {
		return err
	}
	for _, device := range devices {
		err := s.system.Object(nmName, device).CallWithContext(ctx, properties+".Set", 0,
			nmName+".Device.Statistics", "RefreshRateMs", dbus.MakeVariant(interval)).Err
		if err != nil {
			return fmt.Errorf("cannot make %s signal its statistics: %w", device, err)
		}
	}
	return nil
}

// keepChecking makes NetworkManager check its connectivity again and again, which
// causes traffic.
func (s *stage) keepChecking(ctx context.Context) {
	for wait(ctx, 2*time.Duration(chatter)*time.Millisecond) == nil {
		s.system.Object(nmName, nmPath).Go(nmName+".CheckConnectivity", dbus.FlagNoReplyExpected, nil)
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
