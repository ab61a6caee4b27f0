package main

import (
	"context"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	fromLid  = "from logind's signal to the target active"
	ownShare = "its own share: from logind's signal to the first job on the session bus"
)

// latency has all contenders change in turns. The bridge takes its lid switch
// as it comes while logind prepares for sleep, however often it changes; at
// other times it would wait, which is what it is for and not what is measured.
func (s *stage) latency(ctx context.Context, t *table) error {
	if err := s.prepareForSleep(ctx, true); err != nil {
		return err
	}
	samples := map[string]sample{}
	parts := map[string]*spans{bridge: {}, bareC: {}, bareGo: {}}
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
		for _, c := range s.residents() {
			if p := parts[c.name]; p != nil {
				if err := p.watch(ctx, s, c); err != nil {
					return err
				}
			}
		}
	}
	base := samples[floor]
	for _, c := range s.contenders {
		t.addTimes(fromLid, c.name, samples[c.name], base, "floor")
	}
	own := t.addTimes(ownShare, bridge, parts[bridge].own, base, "floor")
	own.Budget = within("median < 0.10, p99 < 0.25 of the floor's", own.Ratio < 0.10 && parts[bridge].own.p99()/base.p99() < 0.25)
	t.addTimes(ownShare, bareC, parts[bareC].own, base, "floor")
	t.addTimes(ownShare, bareGo, parts[bareGo].own, base, "floor")
	const rest = "the rest of the bridge's latency"
	t.addTimes(rest, "between its two jobs: stop one, start the other", parts[bridge].jobs, base, "floor")
	t.addTimes(rest, "systemd: from the start job to the target active", parts[bridge].systemd, base, "floor")
	return nil
}

// spans are the parts of a contender's latency, measured in changes of their own
// because that takes one more listener. Its own share has both buses' work in
// it, and so is not nothing for anyone.
type spans struct {
	own, jobs, systemd sample
}

// watch measures one change.
func (p *spans) watch(ctx context.Context, s *stage, c *contender) error {
	conn, err := s.ConnectSessionBus(ctx)
	if err != nil {
		return err
	}
	var rules []string
	for _, method := range []string{"StartUnit", "StopUnit"} {
		rules = append(rules, "type='method_call',interface='"+systemdManager+"',member='"+method+"'")
	}
	err = conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.Monitoring.BecomeMonitor", 0, rules, uint32(0)).Err
	monitor := newTap(conn)
	defer monitor.close()
	if err != nil {
		return err
	}
	began, ended, err := s.turn(ctx, c)
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
