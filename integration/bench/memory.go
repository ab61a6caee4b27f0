package main

import (
	"context"
	"fmt"
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
		{"anonymous", func(m memory) int64 { return m.anonymous }},
	} {
		for _, c := range s.residents() {
			value := float64(one.take(of[c.name]))
			f := t.add(figure{
				Subject: subject + ": " + one.what, Of: c.name,
				Ratio: value / float64(one.take(base)), To: bareGo, Value: value / 1024, Unit: "MB", N: 1,
			})
			if c.name == bridge && one.what == "RSS" {
				f.Budget = memoryBudget(subject, f.Ratio)
			}
		}
	}
	return nil
}

func memoryBudget(subject string, ratio float64) *budget {
	switch subject {
	case "memory at rest":
		return atMost("≤ 1.25", ratio, 1.25)
	case floodSubject:
		return atMost("≤ 1.5", ratio, 1.5)
	}
	return nil
}

const (
	floodSubject = "memory after foreign signals"
	nobody       = 65534
)

// afterWork measures memory at rest after a flood and after transitions.
func (s *stage) afterWork(ctx context.Context, t *table) error {
	for _, c := range s.residents() {
		name, err := s.uniqueName(ctx, c.pid)
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
	for _, c := range s.residents() {
		before, err := workOf(c.pid)
		if err != nil {
			return err
		}
		for range s.options.transitions {
			if _, _, err := s.turn(ctx, c); err != nil {
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
	if err := wait(ctx, settling); err != nil {
		return err
	}
	return s.remember(t, fmt.Sprintf("memory after %d transitions", s.options.transitions))
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
	body := []any{"org.example.Noise", map[string]dbus.Variant{"Level": dbus.MakeVariant(uint32(1))}, []string{}}
	for range s.options.flood {
		stranger.Send(&dbus.Message{
			Type: dbus.TypeSignal,
			Headers: map[dbus.HeaderField]dbus.Variant{
				dbus.FieldDestination: dbus.MakeVariant(to),
				dbus.FieldPath:        dbus.MakeVariant(dbus.ObjectPath("/org/example/Noise")),
				dbus.FieldInterface:   dbus.MakeVariant(properties),
				dbus.FieldMember:      dbus.MakeVariant("PropertiesChanged"),
				dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(body...)),
			},
			Body: body,
		}, nil)
	}
	// The bus answers once it has taken everything that came before.
	return stranger.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetId", 0).Err
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

// uniqueName returns the unique name of a process on the system bus.
func (s *stage) uniqueName(ctx context.Context, pid int) (string, error) {
	var names []string
	if err := s.system.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		return "", err
	}
	for _, name := range names {
		var owner uint32
		call := s.system.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, name)
		if name[0] == ':' && call.Store(&owner) == nil && int(owner) == pid {
			return name, nil
		}
	}
	return "", fmt.Errorf("process %d is not on the system bus", pid)
}
