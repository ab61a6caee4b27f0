package main

import (
	"context"
	"time"

	"github.com/godbus/dbus/v5"
)

const fromLid = "from logind's signal to the target active"

// latency has all contenders change in turns. The bridge takes its lid switch
// as it comes while logind prepares for sleep, however often it changes; at
// other times it would wait, which is what it is for and not what is measured.
func (s *stage) latency(ctx context.Context, t *table) error {
	if err := s.prepareForSleep(ctx, true); err != nil {
		return err
	}
	samples := map[string]sample{}
	var spans spans
	for round := range s.options.changes {
		for i := range s.contenders {
			c := s.contenders[(round+i)%len(s.contenders)]
			began, ended, err := s.turn(ctx, c)
			if err != nil {
				return err
			}
			samples[c.name] = append(samples[c.name], ended-began)
			time.Sleep(pause)
		}
		if err := spans.watch(ctx, s); err != nil {
			return err
		}
	}
	base := samples[floor]
	for _, c := range s.contenders {
		t.addTimes(fromLid, c.name, samples[c.name], base, "floor")
	}
	spans.tell(t, base)
	return nil
}

// spans are the parts of the bridge's latency, measured in changes of their own
// because it takes more listeners.
type spans struct {
	own, jobs, systemd sample
}

// watch measures one change.
func (p *spans) watch(ctx context.Context, s *stage) error {
	conn, err := s.ConnectSessionBus(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var rules []string
	for _, method := range []string{"StartUnit", "StopUnit"} {
		rules = append(rules, "type='method_call',interface='"+systemdManager+"',member='"+method+"'")
	}
	err = conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.Monitoring.BecomeMonitor", 0, rules, uint32(0)).Err
	if err != nil {
		return err
	}
	monitor := newTap(conn)
	began, ended, err := s.turn(ctx, s.contenders[0])
	if err != nil {
		return err
	}
	isJob := func(m *dbus.Message) bool { return m.Type == dbus.TypeMethodCall }
	first, err := monitor.next(ctx, isJob)
	if err != nil {
		return err
	}
	start := first
	for member(start.Message) != "StartUnit" {
		if start, err = monitor.next(ctx, isJob); err != nil {
			return err
		}
	}
	p.own = append(p.own, first.at-began)
	p.jobs = append(p.jobs, start.at-first.at)
	p.systemd = append(p.systemd, ended-start.at)
	time.Sleep(pause)
	return nil
}

func (p *spans) tell(t *table, base sample) {
	const subject = "where the bridge's time goes"
	own := t.addTimes(subject, "its own: signal to the first job on the session bus", p.own, base, "floor")
	own.Budget = within("median < 0.10, p99 < 0.25", own.Ratio < 0.10 && own.P99/base.p99() < 0.25)
	t.addTimes(subject, "between its two jobs: stop one, start the other", p.jobs, base, "floor")
	t.addTimes(subject, "systemd: start job to the target active", p.systemd, base, "floor")
}
