package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// units is the user's directory of units, in the home.
const units = ".config/systemd/user/"

// growUnits measures with more and more units that the closed lid's target
// wants. The units are targets, because only their jobs matter here, not
// programs.
func (s *stage) growUnits(ctx context.Context, t *table) error {
	if err := s.prepareForSleep(ctx, true); err != nil {
		return err
	}
	if _, err := s.Systemctl("stop", "nm-session-bridge.service"); err != nil {
		return err
	}
	relayed, err := s.startRelayed(bridge, "bridge", "nm-session-bridge")
	if err != nil {
		return err
	}
	for _, wanted := range []int{1, 10, 100, 1000} {
		for _, name := range []string{"lid", "bench-floor"} {
			if err := s.want(name, wanted); err != nil {
				return err
			}
		}
		if err := s.User.DaemonReload(); err != nil {
			return err
		}
		out, err := s.Systemctl("show", "--property=Wants", "--value", "lid-closed.target")
		if got := len(strings.Fields(out)); err != nil || got != wanted {
			return fmt.Errorf("lid-closed.target wants %d units, not %d: %w", got, wanted, err)
		}
		changes := s.options.fewer()
		if wanted == 1000 {
			changes = max(changes/10, 1)
		}
		if err := s.growth(ctx, t, relayed, fmt.Sprintf("%d units wanted", wanted), changes); err != nil {
			return err
		}
	}
	for _, name := range []string{"lid", "bench-floor"} {
		if err := os.RemoveAll(wantsOf(name)); err != nil {
			return err
		}
	}
	s.contenders[0].isClosed = relayed.isClosed // they have the same lid
	if err := errors.Join(s.User.DaemonReload(), relayed.end()); err != nil {
		return err
	}
	return s.restart()
}

// wantsOf returns the directory of the units that the closed target of a pair
// wants.
func wantsOf(name string) string {
	return filepath.Join(sandbox.Home, units, name+"-closed.target.wants")
}

// want makes the closed target of a pair want a number of targets, which end
// with it.
func (s *stage) want(name string, wanted int) error {
	wants := wantsOf(name)
	if err := os.MkdirAll(wants, 0o755); err != nil {
		return err
	}
	for i := range wanted {
		unit := fmt.Sprintf("%s-wanted-%d.target", name, i)
		content := fmt.Sprintf("[Unit]\nPartOf=%s-closed.target\n", name)
		if err := s.WriteFile(units+unit, []byte(content), 0o644); err != nil {
			return err
		}
		// As systemctl enable does.
		if err := os.Symlink("../"+unit, filepath.Join(wants, unit)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// growth measures, in turns with the floor, the bridge's own share, its whole latency
// when the lid closes (which includes the relay's part), and its memory.
func (s *stage) growth(ctx context.Context, t *table, r *relayed, with string, changes int) error {
	var own, whole, least sample
	for range changes {
		if err := s.turnTo(ctx, r.contender, false); err != nil {
			return err
		}
		share, latency, err := r.share(ctx, s)
		if err != nil {
			return err
		}
		own, whole = append(own, share), append(whole, latency)
		if err := s.turnTo(ctx, s.floor, false); err != nil {
			return err
		}
		began, ended, err := s.turn(ctx, s.floor)
		if err != nil {
			return err
		}
		least = append(least, ended-began)
		time.Sleep(pause)
	}
	m, err := memoryOf(r.pid)
	if err != nil {
		return err
	}
	t.addTimes("growth: from logind's signal to the closed lid's target active", with, whole, least, "floor")
	t.addTimes("growth: the bridge's own share", with, own, least, "floor")
	t.add(figure{Subject: "growth: RSS of the bridge", Of: with, Value: float64(m.rss) / 1024, Unit: "MB", N: 1})
	return nil
}

// turnTo brings a contender into a position.
func (s *stage) turnTo(ctx context.Context, c *contender, closed bool) error {
	if c.isClosed == closed {
		return nil
	}
	_, _, err := s.turn(ctx, c)
	time.Sleep(pause)
	return err
}

// growConnections measures with more and more active connections.
func (s *stage) growConnections(ctx context.Context, t *table) error {
	if err := s.prepareForSleep(ctx, false); err != nil {
		return err
	}
	if _, err := s.Systemctl("stop", "nm-session-bridge.service"); err != nil {
		return err
	}
	have := 0
	var one figure // what it takes with one connection
	for _, active := range []int{1, 10, 100} {
		for ; have < active-1; have++ { // one is the cable
			if err := addConnection(have); err != nil {
				return err
			}
		}
		if err := s.activate(ctx, active); err != nil {
			return err
		}
		starts, changes, err := s.startOver(ctx, s.options.fewer(), s.contenders[:1])
		if err != nil {
			return err
		}
		m, err := s.memoryAtRest(ctx)
		if err != nil {
			return err
		}
		with := fmt.Sprintf("%d active connections", active)
		t.addTimes("growth: "+fromNM, with, changes.bridge, changes.floor, "floor")
		t.addTimes("growth: CPU time until READY=1", with, changes.spent[bridge], nil, "")
		f := t.addTimes("growth: from exec to READY=1", with, starts[bridge], nil, "")
		switch active {
		case 1:
			one = *f
		case 100:
			f.Budget = atMost("≤ 2 × that with one", f.Value, 2*one.Value)
		}
		t.add(figure{Subject: "growth: RSS of the bridge at rest", Of: with, Value: float64(m.rss) / 1024, Unit: "MB", N: 1})
	}
	return nil
}

// growSessions measures with more and more sessions of other users that have begun, and
// were locked and unlocked, since the bridge started.
func (s *stage) growSessions(ctx context.Context, t *table) error {
	if err := s.prepareForSleep(ctx, true); err != nil {
		return err
	}
	service := s.contenders[0]
	var none figure // what it takes without any
	for _, others := range []int{0, 10, 100} {
		if _, err := s.Systemctl("stop", "nm-session-bridge.service"); err != nil {
			return err
		}
		if err := s.restart(); err != nil {
			return err
		}
		for i := range others {
			id := strconv.Itoa(i)
			err := errors.Join(s.Login1.BeginOther(id), s.Login1.LockOther(id, true), s.Login1.LockOther(id, false))
			if err != nil {
				return err
			}
		}
		var took, least sample
		for range s.options.fewer() {
			for _, c := range []*contender{service, s.floor} {
				if err := s.turnTo(ctx, c, false); err != nil {
					return err
				}
				began, ended, err := s.turn(ctx, c)
				if err != nil {
					return err
				}
				if c == s.floor {
					least = append(least, ended-began)
				} else {
					took = append(took, ended-began)
				}
				time.Sleep(pause)
			}
		}
		if err := wait(ctx, settling); err != nil {
			return err
		}
		m, err := memoryOf(service.pid)
		if err != nil {
			return err
		}
		with := fmt.Sprintf("%d sessions of other users", others)
		t.addTimes("growth: from logind's signal to the closed lid's target active", with, took, least, "floor")
		f := t.add(figure{Subject: "growth: private memory of the bridge", Of: with, Value: float64(m.anonymous) / 1024, Unit: "MB", N: 1})
		switch others {
		case 0:
			none = *f
		case 100:
			f.Budget = atMost("≤ 1.1 × that with none", f.Value, 1.1*none.Value)
		}
	}
	return nil
}

// addConnection adds a profile that NetworkManager makes a device for.
func addConnection(number int) error {
	name := fmt.Sprintf("bench%d", number)
	profile := fmt.Sprintf("[connection]\nid=%s\ntype=macvlan\ninterface-name=%s\n[macvlan]\nparent="+sandbox.Interface+"\nmode=2\n[ipv4]\nmethod=manual\naddress1=198.51.100.%d/32\nnever-default=true\n[ipv6]\nmethod=disabled\n",
		name, name, number+1)
	return os.WriteFile("/run/sandbox/networkmanager/connections/"+name+".nmconnection", []byte(profile), 0o600)
}

// activate waits until the given number of connections is active.
func (s *stage) activate(ctx context.Context, active int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := s.NM.Nmcli(ctx, "connection", "reload"); err != nil {
		return err
	}
	for {
		out, err := s.NM.Nmcli(context.WithoutCancel(ctx), "--terse", "--fields=STATE,NAME", "connection", "show", "--active")
		if err != nil {
			return err
		}
		if strings.Count(out, "activated:bench")+1 >= active {
			return nil
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("of %d connections only these are active: %q: %w", active, out, err)
		}
	}
}

// memoryAtRest starts the bridge's service, and stops it again.
func (s *stage) memoryAtRest(ctx context.Context) (memory, error) {
	if err := s.restart(); err != nil {
		return memory{}, err
	}
	if err := wait(ctx, settling); err != nil {
		return memory{}, err
	}
	m, err := memoryOf(s.contenders[0].pid)
	if err != nil {
		return memory{}, err
	}
	_, err = s.Systemctl("stop", "nm-session-bridge.service")
	return m, err
}
