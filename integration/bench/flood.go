package main

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// floodRate is how many times per second each flood does something. Another user who
	// locked and unlocked their own session that often once made the bridge lose Locks.
	floodRate = 2000
	// amidFlood is how many signals each contender must follow meanwhile.
	amidFlood = 20
	// lostAfter is the time after which a signal counts as lost.
	lostAfter = 3 * time.Second
	// forgeries is how many times a stranger pretends to be logind.
	forgeries = 5

	lostSubject     = "lost in a flood of others' signals"
	amidSubject     = "amid that flood" + toProgram
	floodCPUSubject = "CPU that the flood costs it"
	forgerySubject  = "forgeries of a stranger that it acts on"
)

// floodAll measures what each contender loses while another user does two things: they
// lock and unlock their own session, which logind signals, and send signals straight to
// the contender, as any user may. Then that user forges the signal that the contender
// waits for.
func (s *stage) floodAll(ctx context.Context, t *table) error {
	if err := s.prepareForSleep(ctx, false); err != nil {
		return err
	}
	lids, err := s.lidStarters()
	if err != nil {
		return err
	}
	locks, _, err := s.lockStarters(ctx)
	if err != nil {
		return err
	}
	var all []*starter
	for _, one := range append(locks, lids...) {
		if one.of != s.floor && (one.of.name != bridge || one.program == "lock") {
			all = append(all, one)
		}
	}
	var figures [4][]figure
	for _, one := range all {
		r, err := s.amid(ctx, one)
		if err != nil {
			return fmt.Errorf("%s: %w", one.of.name, err)
		}
		for i, f := range []figure{
			{Subject: lostSubject, Value: float64(r.lost), Unit: fmt.Sprintf("of %d", amidFlood), N: amidFlood},
			{Subject: amidSubject, Value: r.took.median() / 1e6, P99: r.took.p99() / 1e6, Unit: "ms", N: len(r.took)},
			{Subject: floodCPUSubject, Value: 100 * r.cpu, Unit: "% of a core", N: 1},
			{Subject: forgerySubject, Value: float64(r.believed), Unit: fmt.Sprintf("of %d", forgeries), N: forgeries},
		} {
			f.Of = one.of.name
			if i != 1 && i != 2 && f.Of == bridge {
				f.Budget = atMost("0", f.Value, 0)
			}
			if f.N > 0 {
				figures[i] = append(figures[i], f)
			}
		}
	}
	for _, group := range figures {
		for _, f := range group {
			t.add(f)
		}
	}
	return s.runNothing(programsOfTargets...)
}

// amidst is what happened to a contender's signals during a flood.
type amidst struct {
	lost, believed int
	took           sample
	cpu            float64 // of a core
}

func (s *stage) amid(ctx context.Context, one *starter) (r amidst, err error) {
	client, err := s.uniqueName(ctx, one.of)
	if err != nil {
		return r, err
	}
	stranger, err := s.connectStranger()
	if err != nil {
		return r, err
	}
	defer stranger.Close()
	before, err := workOf(one.of.pid)
	if err != nil {
		return r, err
	}
	began := time.Now()
	flooding, stop := context.WithCancel(ctx)
	over := make(chan error, 1)
	go func() { over <- s.keepFlooding(flooding, stranger, client) }()
	for range amidFlood {
		took, lost, err := s.mayLose(ctx, one)
		switch {
		case err != nil:
			stop()
			return r, err
		case lost:
			r.lost++
		default:
			r.took = append(r.took, took)
		}
		time.Sleep(5 * pause)
	}
	stop()
	if err := <-over; err != nil {
		return r, err
	}
	after, err := workOf(one.of.pid)
	if err != nil {
		return r, err
	}
	r.cpu = float64(after.since(before).cpu) / float64(time.Since(began))
	if err := s.digest(ctx, one.of.pid); err != nil {
		return r, err
	}
	for range forgeries {
		forged := now()
		stranger.Send(one.forged(client), nil)
		bounded, cancel := context.WithTimeout(ctx, 10*s.reaction())
		_, err := s.starts.all(bounded, forged, one.program)
		cancel()
		if err == nil {
			r.believed++
			time.Sleep(pause)
			if err := one.undo(ctx); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// reaction is longer than any contender takes to start a program on a machine at rest.
func (s *stage) reaction() time.Duration { return 30 * time.Millisecond }

// mayLose sends a contender its signal, and reports whether nothing comes of it.
func (s *stage) mayLose(ctx context.Context, one *starter) (took int64, lost bool, err error) {
	began, err := one.cue()
	if err != nil {
		return 0, false, err
	}
	bounded, cancel := context.WithTimeout(ctx, lostAfter)
	defer cancel()
	at, err := s.starts.all(bounded, began, one.program)
	if err != nil {
		return 0, ctx.Err() == nil, ctx.Err()
	}
	time.Sleep(pause)
	bounded, cancel = context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	return at[one.program] - began, false, one.undo(bounded)
}

// keepFlooding does both floods until the context ends.
func (s *stage) keepFlooding(ctx context.Context, stranger *dbus.Conn, client string) error {
	began := time.Now()
	for made := 0; ctx.Err() == nil; made++ {
		if err := s.Login1.LockOther("1", made%2 == 0); err != nil {
			return err
		}
		stranger.Send(noise(client), nil)
		time.Sleep(time.Until(began.Add(time.Duration(made) * time.Second / floodRate)))
	}
	return nil
}

// forged is the signal that a starter waits for, as a stranger sends it to the client.
func (one *starter) forged(client string) *dbus.Message {
	return signalTo(client, one.sends.path, one.sends.ifc, one.sends.member, one.sends.body...)
}
