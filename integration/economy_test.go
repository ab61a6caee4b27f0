package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// costs are what a bridge asks of the buses.
type costs struct {
	services []string // that it listens to
	targets  []string // that it listens for
}

// costs asks both buses what the bridge listens to.
func (s *scene) costs(names []string) costs {
	s.Helper()
	system, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer system.Close()
	session := s.sessionBus()
	var c costs
	heard := s.rules(system)
	for _, name := range names {
		if strings.Contains(heard, "'"+name+"'") {
			c.services = append(c.services, name)
		}
	}
	for _, rule := range strings.Split(s.rules(session), "\n") {
		if _, target, found := strings.Cut(rule, "member='JobRemoved'"); found {
			_, target, _ = strings.Cut(target, "arg2='")
			c.targets = append(c.targets, strings.TrimSuffix(target, "'"))
		}
	}
	slices.Sort(c.targets)
	return c
}

// rules returns the bridge's match rules on a bus, which must be a dbus-daemon:
// dbus-broker does not tell.
func (s *scene) rules(conn *dbus.Conn) string {
	s.Helper()
	const daemon = "org.freedesktop.DBus"
	var all map[string][]string // by unique name
	s.must(conn.BusObject().CallWithContext(s.ctx, daemon+".Debug.Stats.GetAllMatchRules", 0).Store(&all))
	bridge := s.systemctl("show", "--value", "--property=MainPID", bridgeUnit)
	for name, rules := range all {
		var pid uint32
		err := conn.BusObject().CallWithContext(s.ctx, daemon+".GetConnectionUnixProcessID", 0, name).Store(&pid)
		if err == nil && fmt.Sprint(pid) == bridge && len(rules) > 0 { // otherwise it has gone
			return strings.Join(rules, "\n")
		}
	}
	s.Fatal("the bridge listens to nothing")
	return ""
}

func TestASwitchThatIsOffCostsNothing(t *testing.T) {
	s := begin(t, sandbox.Options{Bus: sandbox.DbusDaemon, SessionBus: sandbox.DbusDaemon})
	s.must(s.UPower.Start(s.ctx))
	s.install()
	s.online()
	s.settle()
	positions := s.json(0, "~/.local/bin/nm-session-bridge status --json").states()
	table := observers.Table()
	all := servicesOf(table)
	asked := s.overhear(all)
	for _, one := range table {
		services := servicesOf(observers.Switches{one})
		targets := observers.Switches{one}.Targets()
		if one.HasTemplate() {
			targets = one.TargetsIn(positions[one.Name])
		}
		slices.Sort(targets)
		s.flags("--switches=" + one.Name)
		s.must(s.User.DaemonReload())
		asked() // what was asked before
		s.systemctl("restart", bridgeUnit)
		s.status(one.Name + " " + positions[one.Name])
		if got := asked(); !slices.Equal(got, services) {
			t.Errorf("%s has to do with %v", one.Name, got)
		}
		if got := s.costs(all); !slices.Equal(got.services, services) || !slices.Equal(got.targets, targets) {
			t.Errorf("%s listens to %v for %v", one.Name, got.services, got.targets)
		}
	}
}

// servicesOf returns the names of the services that switches are read from, in order.
func servicesOf(switches observers.Switches) []string {
	var names []string
	for _, source := range switches.Sources() {
		names = append(names, source.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// overhear listens to all calls on the system bus. The function that it returns
// names the services that were called, or asked about, since its last call.
func (s *scene) overhear(services []string) (asked func() []string) {
	s.Helper()
	monitor, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	s.Cleanup(func() { monitor.Close() })
	caller, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	s.Cleanup(func() { caller.Close() })
	known := map[string]string{} // by well-known or unique name
	for _, name := range services {
		var owner string
		s.must(caller.BusObject().CallWithContext(s.ctx, "org.freedesktop.DBus.GetNameOwner", 0, name).Store(&owner))
		known[name], known[owner] = name, name
	}
	messages := make(chan *dbus.Message, 4096)
	s.must(monitor.BusObject().CallWithContext(s.ctx, "org.freedesktop.DBus.Monitoring.BecomeMonitor", 0, []string{"type='method_call'"}, uint32(0)).Err)
	monitor.Eavesdrop(messages)
	rounds := 0
	return func() []string {
		s.Helper()
		rounds++
		end := fmt.Sprintf("org.example.Round%d", rounds)
		s.must(caller.BusObject().CallWithContext(s.ctx, "org.freedesktop.DBus.NameHasOwner", 0, end).Err)
		var asked []string
		for {
			select {
			case message := <-messages:
				destination, _ := message.Headers[dbus.FieldDestination].Value().(string)
				argument := ""
				if len(message.Body) > 0 {
					argument, _ = message.Body[0].(string)
				}
				if argument == end {
					slices.Sort(asked)
					return asked
				}
				for name, service := range known {
					if (destination == name || strings.Contains(argument, service)) && !slices.Contains(asked, service) {
						asked = append(asked, service)
					}
				}
			case <-s.ctx.Done():
				s.Fatal(s.ctx.Err())
			}
		}
	}
}
