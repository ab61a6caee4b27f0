package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	startSubject    = "start: from exec to READY=1"
	startCPUSubject = "start: CPU time until then"

	fromNM = "from NetworkManager's signal to the target active"
	// changesOfStart is how often a switch may change in ten seconds before the
	// bridge treats the changes as a storm and waits.
	changesOfStart = 3
)

// start starts the programs in turns. Each new bridge then follows some real
// changes of connectivity.
func (s *stage) start(ctx context.Context, t *table) error {
	if err := s.prepareForSleep(ctx, false); err != nil {
		return err
	}
	if _, err := s.Systemctl("stop", "nm-session-bridge.service"); err != nil {
		return err
	}
	starts, changes, err := s.startOver(ctx, s.options.changes, s.notifying())
	if err != nil {
		return err
	}
	t.addTimes(fromNM, floor, changes.floor, changes.floor, "floor")
	all := t.addTimes(fromNM, bridge+", the first change after its start", slices.Concat(changes.toFull, changes.toPortal), changes.floor, "floor")
	all.Budget = atMost("≤ 1.5", all.Ratio, 1.5)
	t.addTimes(fromNM, bridge+", that to full", changes.toFull, changes.floor, "floor")
	t.addTimes(fromNM, bridge+", that to a portal, for which it reads the devices", changes.toPortal, changes.floor, "floor")
	t.addTimes(fromNM, bridge+", those after it", changes.bridge, changes.floor, "floor")
	for _, c := range s.notifying() {
		f := t.addTimes(startSubject, c.name, starts[c.name], starts[bareGo], bareGo)
		if c.name == bridge {
			f.Budget = atMost("≤ 2.5", f.Ratio, 2.5)
		}
	}
	for _, c := range s.notifying() {
		t.addTimes(startCPUSubject, c.name, changes.spent[c.name], changes.spent[bareGo], bareGo)
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
	for changes.isPortal || changes.count < count {
		for _, c := range programs {
			cmd := s.Command(c.program, c.arguments...)
			if c.name == networkd {
				cmd = exec.Command(c.program, c.arguments...) // as root
				cmd.Env = os.Environ()
			}
			took, err := socket.launch(cmd)
			if err != nil {
				return nil, nil, err
			}
			spent, err := workOf(cmd.Process.Pid)
			if err != nil {
				return nil, nil, err
			}
			starts[c.name] = append(starts[c.name], int64(took))
			changes.spent[c.name] = append(changes.spent[c.name], spent.cpu)
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
	signals  *tap
	isPortal bool
	began    int64 // before the latest flip
	count    int
	spent    map[string]sample // CPU time of each program until it was ready
	// The first change of each new bridge.
	toFull, toPortal sample
	bridge           sample // its other changes
	floor            sample
}

func (s *stage) prepareConnectivity(ctx context.Context) (*connectivity, error) {
	conn, err := s.SystemBus.Connect(ctx)
	if err != nil {
		return nil, err
	}
	err = conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(nmName), dbus.WithMatchObjectPath(nmPath),
		dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged"))
	return &connectivity{signals: newTap(conn), spent: map[string]sample{}}, err
}

// follow lets a bridge that has just started follow some changes.
func (c *connectivity) follow(ctx context.Context, s *stage) error {
	for i := range changesOfStart {
		ended := s.witness.await(c.next("internet-online.target", "internet-offline.target"))
		at, err := c.flip(ctx, s)
		if err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, changeTimeout)
		bridged, err := ended(bounded)
		cancel()
		if err != nil {
			return fmt.Errorf("the bridge: %w", err)
		}
		switch {
		case i > 0:
			c.bridge = append(c.bridge, bridged-at)
		case c.isPortal:
			c.toPortal = append(c.toPortal, bridged-at)
		default:
			c.toFull = append(c.toFull, bridged-at)
		}
		// The dispatcher is slower, and must not disturb what comes next.
		if err := c.awaitDispatcher(ctx, s); err != nil {
			return err
		}
		time.Sleep(pause)
		began, done, err := s.turn(ctx, s.floor)
		if err != nil {
			return err
		}
		c.floor = append(c.floor, done-began)
		time.Sleep(pause)
	}
	return nil
}

// next returns which of two names the next flip is about.
func (c *connectivity) next(full, portal string) string {
	if c.isPortal {
		return full
	}
	return portal
}

// awaitDispatcher waits until the dispatcher has started the program for the latest flip.
func (c *connectivity) awaitDispatcher(ctx context.Context, s *stage) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	_, err := s.starts.all(ctx, c.began, "dispatch-"+c.position())
	return err
}

// position is what programs call the latest flip.
func (c *connectivity) position() string {
	if c.isPortal {
		return "closed"
	}
	return "open"
}

// flip makes NetworkManager see another connectivity, and returns when it has
// signalled that.
func (c *connectivity) flip(ctx context.Context, s *stage) (at int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	c.isPortal, c.began = !c.isPortal, now()
	c.count++
	mode := sandbox.Full
	if c.isPortal {
		mode = sandbox.PortalRedirect
	}
	if err := s.Check.Set(mode); err != nil {
		return 0, err
	}
	if _, err := s.NM.CheckNow(ctx); err != nil {
		return 0, err
	}
	signal, err := c.signals.next(ctx, isConnectivity)
	return signal.at, err
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
