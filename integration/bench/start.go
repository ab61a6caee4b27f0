package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	fromNM = "from NetworkManager's signal to the target active"
	// changesOfStart is how often a switch may change in ten seconds before the
	// bridge treats the changes as a storm and waits.
	changesOfStart = 3
)

// start starts the programs in turns. Each new bridge then follows some real
// changes of connectivity. NetworkManager's dispatcher hears of the same
// changes and is much slower.
func (s *stage) start(ctx context.Context, t *table) error {
	if err := s.prepareForSleep(ctx, false); err != nil {
		return err
	}
	if _, err := s.Systemctl("stop", "nm-session-bridge.service"); err != nil {
		return err
	}
	starts, changes, err := s.startOver(ctx, s.options.changes, s.residents())
	if err != nil {
		return err
	}
	t.addTimes(fromNM, floor, changes.floor, changes.floor, "floor")
	t.addTimes(fromNM, bridge+", just started", changes.bridge, changes.floor, "floor")
	t.addTimes(fromNM, dispatch, changes.dispatch, changes.floor, "floor")
	const subject = "start: from exec to READY=1"
	for _, c := range s.residents() {
		f := t.addTimes(subject, c.name, starts[c.name], starts[bareGo], bareGo)
		if c.name == bridge {
			f.Budget = atMost("< 20 ms", f.Value, 20)
		}
	}
	return s.restart()
}

// startOver starts programs in turns until a number of changes was seen.
func (s *stage) startOver(ctx context.Context, count int, programs []*contender) (map[string]sample, *connectivity, error) {
	socket, err := newReady()
	if err != nil {
		return nil, nil, err
	}
	defer socket.Close()
	changes, err := s.prepareConnectivity(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer changes.signals.close()
	starts := map[string]sample{}
	for changes.isPortal || len(changes.bridge) < count {
		for _, c := range programs {
			cmd := s.Command(c.program, c.arguments...)
			took, err := socket.launch(cmd)
			if err != nil {
				return nil, nil, err
			}
			starts[c.name] = append(starts[c.name], int64(took))
			if c.name == bridge {
				err = changes.follow(ctx, s)
			}
			if err := errors.Join(err, end(cmd)); err != nil {
				return nil, nil, err
			}
		}
	}
	return starts, changes, nil
}

// end ends a program that was started, as a logout does.
func end(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = cmd.Wait() // ended by the signal
	time.Sleep(pause)
	return nil
}

// connectivity makes real changes of NetworkManager's Connectivity, between
// full and a portal.
type connectivity struct {
	signals                 *tap
	isPortal                bool
	bridge, dispatch, floor sample
}

func (s *stage) prepareConnectivity(ctx context.Context) (*connectivity, error) {
	if _, _, err := s.pair("bench-dispatch"); err != nil {
		return nil, err
	}
	conn, err := s.SystemBus.Connect(ctx)
	if err != nil {
		return nil, err
	}
	err = conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(nmName), dbus.WithMatchObjectPath(nmPath),
		dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged"))
	return &connectivity{signals: newTap(conn)}, err
}

// follow lets a bridge that has just started follow some changes.
func (c *connectivity) follow(ctx context.Context, s *stage) error {
	for range changesOfStart {
		if err := c.flip(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// flip makes NetworkManager see another connectivity.
func (c *connectivity) flip(ctx context.Context, s *stage) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	c.isPortal = !c.isPortal
	mode, ours, dispatched := sandbox.Full, "internet-online.target", "bench-dispatch-open.target"
	if c.isPortal {
		mode, ours, dispatched = sandbox.PortalRedirect, "internet-offline.target", "bench-dispatch-closed.target"
	}
	byBridge, byDispatcher := s.witness.await(ours), s.witness.await(dispatched)
	if err := s.Check.Set(mode); err != nil {
		return err
	}
	if _, err := s.NM.CheckNow(ctx); err != nil {
		return err
	}
	signal, err := c.signals.next(ctx, isConnectivity)
	if err != nil {
		return err
	}
	bridged, err := byBridge(ctx)
	if err != nil {
		return fmt.Errorf("the bridge: %w", err)
	}
	scripted, err := byDispatcher(ctx)
	if err != nil {
		return fmt.Errorf("the dispatcher script: %w", err)
	}
	c.bridge = append(c.bridge, bridged-signal.at)
	c.dispatch = append(c.dispatch, scripted-signal.at)
	time.Sleep(pause)
	began, ended, err := s.turn(ctx, s.floor)
	if err != nil {
		return err
	}
	c.floor = append(c.floor, ended-began)
	time.Sleep(pause)
	return nil
}

// isConnectivity reports whether a message says that Connectivity has changed.
func isConnectivity(m *dbus.Message) bool {
	if m.Type != dbus.TypeSignal || len(m.Body) != 3 {
		return false
	}
	changed, _ := m.Body[1].(map[string]dbus.Variant)
	_, told := changed["Connectivity"]
	return told
}
