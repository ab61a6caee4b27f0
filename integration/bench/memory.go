package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// remember adds the residents' memory to a table.
func (s *stage) remember(t *table, subject string) error {
	of := map[string]memory{}
	for _, c := range s.residents() {
		var err error
		if of[c.name], err = memoryOf(c.pid); err != nil {
			return err
		}
	}
	base := of[bareGo]
	for _, one := range []struct {
		what string
		take func(memory) int64
	}{
		{"RSS", func(m memory) int64 { return m.rss }},
		{"PSS", func(m memory) int64 { return m.pss }},
		{"private", func(m memory) int64 { return m.anonymous }},
	} {
		for _, c := range s.residents() {
			value := float64(one.take(of[c.name]))
			f := t.add(figure{
				Subject: subject + ": " + one.what, Of: c.name,
				Ratio: value / float64(one.take(base)), To: bareGo, Value: value / 1024, Unit: "MB", N: 1,
			})
			if c.name == bridge {
				f.Budget = memoryBudget(subject, one.what, f.Ratio)
			}
		}
	}
	return nil
}

// memoryBudget returns how much memory the bridge may have, compared with the
// plain Go program.
func memoryBudget(subject, what string, ratio float64) *budget {
	switch {
	case what == "PSS":
		return nil
	case subject == floodSubject:
		return atMost("≤ 1", ratio, 1)
	case subject == restSubject && what == "private":
		return atMost("≤ 1.5", ratio, 1.5)
	case subject == restSubject:
		return atMost("≤ 1.8", ratio, 1.8)
	}
	return nil
}

const (
	restSubject  = "memory at rest"
	floodSubject = "memory after foreign signals"
	nobody       = 65534
)

// afterWork measures memory at rest after a flood and after transitions.
func (s *stage) afterWork(ctx context.Context, t *table) error {
	for _, c := range s.residents() {
		name, err := s.uniqueName(ctx, c)
		if err != nil {
			return err
		}
		if err := s.flood(ctx, name); err != nil {
			return err
		}
		if err := s.digest(ctx, c.pid); err != nil {
			return err
		}
	}
	if err := wait(ctx, settling); err != nil {
		return err
	}
	if err := s.remember(t, floodSubject); err != nil {
		return err
	}
	if err := s.prepareForSleep(ctx, true); err != nil {
		return err
	}
	if err := s.transit(ctx, t); err != nil {
		return err
	}
	if err := wait(ctx, settling); err != nil {
		return err
	}
	return s.remember(t, fmt.Sprintf("memory after %d transitions", s.options.transitions))
}

// transit makes the residents do transitions and measures what they cost.
func (s *stage) transit(ctx context.Context, t *table) error {
	for _, c := range s.residents() {
		transition, err := s.transition(ctx, c)
		if err != nil {
			return err
		}
		if transition == nil {
			continue
		}
		before, err := workOf(c.pid)
		if err != nil {
			return err
		}
		for range s.options.transitions {
			if err := transition(ctx); err != nil {
				return err
			}
		}
		if err := s.digest(ctx, c.pid); err != nil {
			return err
		}
		after, err := workOf(c.pid)
		if err != nil {
			return err
		}
		done := after.since(before)
		t.add(figure{
			Subject: "CPU time of a transition", Of: c.name,
			Value: float64(done.cpu) / float64(s.options.transitions) / 1e6, Unit: "ms", N: s.options.transitions,
		})
	}
	return nil
}

// transition returns what makes a contender do its work once: follow its lid, or start
// its locker. It returns nil for a contender that does neither.
func (s *stage) transition(ctx context.Context, c *contender) (func(context.Context) error, error) {
	if c.change != nil {
		return func(ctx context.Context) error {
			_, _, err := s.turn(ctx, c)
			return err
		}, nil
	}
	program := map[string]string{swayidle: swayidleLocker, xssLock: xssLocker}[c.name]
	if program == "" {
		return nil, nil
	}
	client, err := s.uniqueName(ctx, c)
	if err != nil {
		return nil, err
	}
	locker := s.locking(c, client, program)
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, changeTimeout)
		defer cancel()
		began, err := locker.cue()
		if err != nil {
			return err
		}
		if _, err := s.starts.all(ctx, began, locker.program); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		// Until then another Lock starts nothing.
		for len(family(c.pid)) > 1 {
			if err := wait(ctx, time.Millisecond); err != nil {
				return fmt.Errorf("the locker of %s does not end: %w", c.name, err)
			}
		}
		return locker.undo(ctx)
	}, nil
}

// prepareForSleep makes logind prepare for sleep and stay so, or wake up,
// unless it is already in that state. NetworkManager follows it.
func (s *stage) prepareForSleep(ctx context.Context, sleep bool) error {
	if s.asleep == sleep {
		return nil
	}
	s.asleep = sleep
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	ended := s.witness.await("sleep.target")
	if err := s.Login1.PrepareForSleep(sleep); err != nil {
		return err
	}
	if _, err := ended(ctx); err != nil || sleep {
		return err
	}
	return s.NM.WaitConnectivity(ctx, sandbox.ConnectivityFull)
}

// flood sends signals of no interest straight to a client of the system bus, as
// any local user may.
func (s *stage) flood(ctx context.Context, to string) error {
	stranger, err := s.connectStranger()
	if err != nil {
		return err
	}
	defer stranger.Close()
	for range s.options.flood {
		stranger.Send(noise(to), nil)
	}
	// The bus answers once it has taken everything that came before.
	return stranger.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetId", 0).Err
}

// noise is a signal of no interest to a client.
func noise(client string) *dbus.Message {
	return signalTo(client, "/org/example/Noise", properties, "PropertiesChanged",
		"org.example.Noise", map[string]dbus.Variant{"Level": dbus.MakeVariant(uint32(1))}, []string{})
}

// signalTo is a signal to one client.
func signalTo(client string, path dbus.ObjectPath, ifc, member string, body ...any) *dbus.Message {
	headers := map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: dbus.MakeVariant(client),
		dbus.FieldPath:        dbus.MakeVariant(path),
		dbus.FieldInterface:   dbus.MakeVariant(ifc),
		dbus.FieldMember:      dbus.MakeVariant(member),
	}
	if len(body) > 0 {
		headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	return &dbus.Message{Type: dbus.TypeSignal, Headers: headers, Body: body}
}

// connectStranger connects to the system bus as somebody else.
func (s *stage) connectStranger() (*dbus.Conn, error) {
	socket, err := s.DialSystemBus(nobody)
	if err != nil {
		return nil, err
	}
	conn, err := dbus.NewConn(socket)
	if err != nil {
		return nil, err
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(nobody))}); err != nil {
		return nil, err
	}
	return conn, conn.Hello()
}

// digest waits until a process has nothing left to do.
func (s *stage) digest(ctx context.Context, pid int) error {
	before, err := workOf(pid)
	for err == nil {
		if err = wait(ctx, 300*time.Millisecond); err != nil {
			break
		}
		var after work
		if after, err = workOf(pid); err == nil && after.cpu == before.cpu {
			return nil
		}
		before = after
	}
	return err
}

// uniqueName returns the unique name of a contender on the system bus.
func (s *stage) uniqueName(ctx context.Context, c *contender) (string, error) {
	processes := family(c.pid)
	var names []string
	if err := s.system.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		return "", err
	}
	for _, name := range names {
		var owner uint32
		call := s.system.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, name)
		if name[0] == ':' && call.Store(&owner) == nil && slices.Contains(processes, int(owner)) {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s is not on the system bus", c.name)
}
