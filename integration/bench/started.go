package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

const toProgram = " to the user's program started"

// starts is where the user's programs report that they have started.
type starts struct {
	conn *net.UnixConn
	told chan started
}

// started is a program's name for itself, and when it started.
type started struct {
	name string
	at   int64
}

func newStarts() (*starts, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@bench/started", Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	s := &starts{conn, make(chan started, 1024)}
	go func() {
		message := make([]byte, 256)
		for {
			n, err := conn.Read(message)
			if err != nil {
				return // closed
			}
			var one started
			if _, err := fmt.Sscan(string(message[:n]), &one.name, &one.at); err == nil {
				s.told <- one
			}
		}
	}()
	return s, nil
}

// all waits until programs have started after a moment, and returns when each has.
func (s *starts) all(ctx context.Context, after int64, names ...string) (map[string]int64, error) {
	at := map[string]int64{}
	for len(at) < len(names) {
		select {
		case one := <-s.told:
			if slices.Contains(names, one.name) && one.at >= after {
				at[one.name] = one.at
			}
		case <-ctx.Done():
			return at, fmt.Errorf("of the programs %v only these start: %v: %w", names, at, ctx.Err())
		}
	}
	return at, nil
}

// runAt makes a target start a program of the user, and stop it with the target.
func (s *stage) runAt(target, name string) error {
	unit := fmt.Sprintf("[Unit]\nPartOf=%s\nStartLimitIntervalSec=0\n[Service]\nExecStart=%s %s stay\n[Install]\nWantedBy=%s\n",
		target, s.programs.path("started"), name, target)
	unitName := "bench-program-" + name + ".service"
	if err := s.WriteFile(units+unitName, []byte(unit), 0o644); err != nil {
		return err
	}
	_, err := s.Systemctl("enable", unitName)
	return err
}

// runNothing undoes runAt.
func (s *stage) runNothing(names ...string) error {
	for _, name := range names {
		if _, err := s.Systemctl("disable", "--now", "bench-program-"+name+".service"); err != nil {
			return err
		}
	}
	return nil
}

// starter is a contender that starts a program at a signal.
type starter struct {
	of      *contender
	program string
	// cue sends the signal, and returns when.
	cue func() (began int64, err error)
	// undo restores the state before the cue.
	undo func(context.Context) error
	// sends is what the cue sends.
	sends message
}

type message struct {
	path        dbus.ObjectPath
	ifc, member string
	body        []any
}

// programsOfTargets are the programs that targets start.
var programsOfTargets = []string{"floor", "bridge", "c", "go", "python", "shell", "lock", "sleep"}

// cued sends the signal, and returns how long it took until the program had started.
func (s *stage) cued(ctx context.Context, one *starter) (took int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	began, err := one.cue()
	if err != nil {
		return 0, err
	}
	at, err := s.starts.all(ctx, began, one.program)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", one.of.name, err)
	}
	time.Sleep(pause)
	err = one.undo(ctx)
	time.Sleep(pause)
	return at[one.program] - began, err
}

// startPrograms measures the time from a signal to the user's program, which is what
// people wait for. The bridge and the floor start it by a target that wants it.
func (s *stage) startPrograms(ctx context.Context, t *table) error {
	if err := s.prepareForSleep(ctx, true); err != nil {
		return err
	}
	lids, err := s.lidStarters()
	if err != nil {
		return err
	}
	if err := s.race(ctx, t, "from logind's signal of the lid", lids); err != nil {
		return err
	}
	if err := s.prepareForSleep(ctx, false); err != nil {
		return err
	}
	locks, sleeps, err := s.lockStarters(ctx)
	if err != nil {
		return err
	}
	if err := s.race(ctx, t, "from Lock", locks); err != nil {
		return err
	}
	if err := s.race(ctx, t, "from PrepareForSleep", sleeps); err != nil {
		return err
	}
	if err := s.raceOfNetworks(ctx, t); err != nil {
		return err
	}
	return s.runNothing(programsOfTargets...)
}

// race has starters start their programs in turns.
func (s *stage) race(ctx context.Context, t *table, from string, starters []*starter) error {
	took := map[string]sample{}
	for round := range s.options.fewer() {
		for i := range starters {
			one := starters[(round+i)%len(starters)]
			ns, err := s.cued(ctx, one)
			if err != nil {
				return err
			}
			took[one.of.name] = append(took[one.of.name], ns)
		}
	}
	for _, one := range starters {
		t.addTimes(from+toProgram, one.of.name, took[one.of.name], took[floor], "floor")
	}
	return nil
}

// lidStarters are those that follow a lid.
func (s *stage) lidStarters() ([]*starter, error) {
	var all []*starter
	for _, c := range s.contenders {
		one := s.closing(c)
		if err := s.runAt(c.closed, one.program); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// closing makes a contender start what its closed target wants.
func (s *stage) closing(c *contender) *starter {
	return &starter{
		of: c, program: c.short,
		cue: func() (int64, error) {
			c.isClosed = true
			return c.change(true)
		},
		undo: func(ctx context.Context) error {
			c.isClosed = true // also after a forgery
			return s.turnTo(ctx, c, false)
		},
		sends: message{lidPath(c.short), properties, "PropertiesChanged", lidBody(true)},
	}
}

// lockStarters are the starters that start a locker at a Lock, and before the machine
// sleeps. Each of them is the only one that hears logind.
func (s *stage) lockStarters(ctx context.Context) (locks, sleeps []*starter, err error) {
	if err := s.runAt("lock.target", "lock"); err != nil {
		return nil, nil, err
	}
	if err := s.runAt("sleep.target", "sleep"); err != nil {
		return nil, nil, err
	}
	locks = []*starter{s.closing(s.floor)}
	sleeps = []*starter{s.closing(s.floor)}
	for _, one := range []struct {
		name, lock, sleep string
	}{{bridge, "lock", "sleep"}, {swayidle, swayidleLocker, "swayidle-sleep"}, {xssLock, xssLocker, xssLocker}} {
		c := s.named(one.name)
		client, err := s.uniqueName(ctx, c)
		if err != nil {
			return nil, nil, err
		}
		atLock := s.locking(c, client, one.lock)
		locks = append(locks, atLock)
		sleeps = append(sleeps, &starter{
			of: c, program: one.sleep,
			cue: func() (int64, error) {
				began := now()
				return began, s.Login1.PrepareClientForSleep(client, true)
			},
			undo: func(ctx context.Context) error {
				ended := s.witness.await("wake.target")
				if err := s.Login1.PrepareClientForSleep(client, false); err != nil {
					return err
				}
				if one.name == bridge {
					if _, err := ended(ctx); err != nil {
						return err
					}
				}
				return atLock.undo(ctx)
			},
		})
	}
	return locks, sleeps, nil
}

// locking makes a contender start a program at a Lock that only its client on the system
// bus hears.
func (s *stage) locking(c *contender, client, program string) *starter {
	return &starter{
		of: c, program: program,
		cue: func() (int64, error) {
			began := now()
			return began, s.Login1.AskClientToLock(client, true)
		},
		undo: func(ctx context.Context) error {
			ended := s.witness.await("unlock.target")
			if err := s.Login1.AskClientToLock(client, false); err != nil || c.name != bridge {
				return err
			}
			_, err := ended(ctx)
			return err
		},
		sends: message{s.Login1.Session(), "org.freedesktop.login1.Session", "Lock", nil},
	}
}

// raceOfNetworks lets the bridge and nmcli's reader follow changes of connectivity in
// turns, a few changes each, while the other does not run. The dispatcher hears of all
// of them: it is slower than both.
func (s *stage) raceOfNetworks(ctx context.Context, t *table) error {
	for target, name := range map[string]string{"internet-online.target": "bridge-open", "internet-offline.target": "bridge-closed"} {
		if err := s.runAt(target, name); err != nil {
			return err
		}
	}
	if _, err := s.Systemctl("stop", "nm-session-bridge.service"); err != nil {
		return err
	}
	socket, err := newReady()
	if err != nil {
		return err
	}
	defer socket.Close()
	changes, err := s.prepareConnectivity(ctx)
	if err != nil {
		return err
	}
	defer changes.signals.close()
	reader := s.named(nmcli)
	if err := syscall.Kill(-reader.pid, syscall.SIGKILL); err != nil { // the pipeline
		return err
	}
	least := s.closing(s.floor)
	took := map[string]sample{}
	for len(took[dispatch]) < s.options.fewer() {
		for _, one := range []struct {
			name, short string
			launch      func(*exec.Cmd) (time.Duration, error)
		}{
			{bridge, "bridge-", socket.launch},
			{nmcli, "nmcli-", func(cmd *exec.Cmd) (time.Duration, error) {
				cmd.SysProcAttr.Setpgid = true
				return 0, cmd.Start()
			}},
		} {
			c := map[string]*contender{bridge: s.contenders[0], nmcli: reader}[one.name]
			cmd := s.Command(c.program, c.arguments...)
			if _, err := one.launch(cmd); err != nil {
				return err
			}
			// Its work on the changes before its start must not count here.
			if err := s.settle(ctx, &contender{name: one.name, pid: cmd.Process.Pid}); err != nil {
				return err
			}
			// A new bridge may have made one change at its start.
			for done, tries := 0, 0; done < changesOfStart-1; done++ {
				at, err := changes.flip(ctx, s)
				if err != nil {
					return err
				}
				ours, theirs := one.short+changes.position(), "dispatch-"+changes.position()
				isDeaf := one.name == nmcli && done == 0 // maybe: it does not say when it listens
				patience := changeTimeout
				if isDeaf {
					patience = time.Second
				}
				bounded, cancel := context.WithTimeout(ctx, patience)
				ended, err := s.starts.all(bounded, changes.began, ours, theirs)
				cancel()
				if err != nil && isDeaf && tries < 30 {
					tries++
					done--
					continue
				}
				if err != nil {
					return err
				}
				took[one.name] = append(took[one.name], ended[ours]-at)
				took[dispatch] = append(took[dispatch], ended[theirs]-at)
				time.Sleep(pause)
				ns, err := s.cued(ctx, least)
				if err != nil {
					return err
				}
				took[floor] = append(took[floor], ns)
			}
			if one.name == nmcli {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // the pipeline
			}
			if err := end(cmd); err != nil {
				return err
			}
		}
	}
	if changes.isPortal {
		if _, err := changes.flip(ctx, s); err != nil {
			return err
		}
	}
	for _, name := range []string{floor, bridge, nmcli, dispatch} {
		t.addTimes("from NetworkManager's signal"+toProgram, name, took[name], took[floor], "floor")
	}
	if err := s.runNothing("bridge-open", "bridge-closed"); err != nil {
		return err
	}
	s.others = slices.DeleteFunc(s.others, func(c *contender) bool { return c == reader }) // it has ended
	return s.restart()
}

// settle waits until a program that has just been started is on the bus and has nothing
// left to do.
func (s *stage) settle(ctx context.Context, c *contender) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	for {
		_, err := s.uniqueName(ctx, c)
		if err == nil {
			return s.digest(ctx, c.pid)
		}
		if wait(ctx, 50*time.Millisecond) != nil {
			return err
		}
	}
}
