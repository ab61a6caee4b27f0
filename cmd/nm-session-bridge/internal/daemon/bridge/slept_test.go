package bridge

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

func TestASleepIsNoticedOnce(t *testing.T) {
	slept := time.Hour // before the bridge was there
	l := &loop{Config: Config{Slept: func() time.Duration { return slept }}}
	l.hasSlept()
	for _, step := range []struct {
		more time.Duration
		want bool
	}{{0, false}, {time.Microsecond, false}, {3 * time.Second, true}, {0, false}, {-time.Microsecond, false}, {time.Minute, true}} {
		slept += step.more
		if got := l.hasSlept(); got != step.want {
			t.Errorf("after %v more: %t", step.more, got)
		}
	}
}

// sleeper is a machine whose lid is closed while it sleeps, of which nobody is told.
type sleeper struct {
	*testing.T
	slept    atomic.Int64
	isClosed atomic.Bool
	read     atomic.Int64 // how often logind and the user manager were read
	told     chan string  // to the service manager
	entered  chan string  // positions
	ticks    chan time.Time
	inbox    Inbox
}

// newSleeper runs a bridge until it is ready.
func newSleeper(t *testing.T) *sleeper {
	t.Helper()
	s := &sleeper{T: t, told: make(chan string, 100), entered: make(chan string, 100), ticks: make(chan time.Time), inbox: make(Inbox)}
	logind, upower, manager := bustest.NewService(s.logind), bustest.NewService(s.logind), bustest.NewService(s.manager)
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	switches := observers.Table().Choose([]string{"lid", "sleep"})
	units := systemdctl.New(ctx, listened{manager}, switches, s.inbox.PostMoved(ctx), time.Now, systemdctl.KernelClocks(), log)
	byID := demanded{}
	for i, source := range switches.Sources() {
		service := []*bustest.Service{logind, upower}[i]
		byID[source.ID] = observers.New(observers.NewFilter(source), service, service, log)
	}
	ended := make(chan error)
	go func() {
		ended <- Run(ctx, Config{
			Bridge: New(switches, observers.Policy{}, units, units, units, byID, time.Now, log), Units: units,
			Observers: slices.Collect(maps.Values(byID)), Inbox: s.inbox, Watchdog: s.ticks, Tick: func() {},
			Slept:  func() time.Duration { return time.Duration(s.slept.Load()) },
			Notify: func(message string) { s.told <- message }, Publish: s.publish, Rest: func() {}, Work: func() {}, Now: time.Now,
			Claim: func(context.Context, func(string)) error { return nil }, Held: func() map[string]string { return nil },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	manager.Send(t, bustest.OwnerChanged(systemdctl.ManagerName, ":1.1"))
	logind.Send(t, bustest.OwnerChanged("org.freedesktop.login1", ":1.2"))
	upower.Send(t, bustest.OwnerChanged("org.freedesktop.UPower", ""))
	s.tells("lid open")
	return s
}

func (s *sleeper) logind(call *dbus.Call) {
	if !strings.HasSuffix(call.Method, ".GetAll") {
		bustest.Answer(call, 1, nil, `<node><interface name="org.freedesktop.login1.Manager"><property name="LidClosed" type="b" access="read"/></interface></node>`)
		return
	}
	s.read.Add(1)
	bustest.Answer(call, 1, nil, map[string]dbus.Variant{"LidClosed": dbus.MakeVariant(s.isClosed.Load()), "PreparingForSleep": dbus.MakeVariant(false)})
}

// manager does not say what becomes of its jobs.
func (s *sleeper) manager(call *dbus.Call) {
	if !strings.HasSuffix(call.Method, ".ListUnitsByNames") {
		bustest.Answer(call, 1, nil, dbus.ObjectPath("/job/1"))
		return
	}
	s.read.Add(1)
	names, _ := call.Args[0].([]string)
	var units []systemd.UnitStatus
	for _, name := range names {
		units = append(units, systemd.UnitStatus{Name: name, LoadState: "loaded", ActiveState: "inactive", JobPath: "/"})
	}
	bustest.Answer(call, 1, nil, units)
}

// tells waits until the service manager is told some words.
func (s *sleeper) tells(words string) {
	s.Helper()
	for {
		select {
		case told := <-s.told:
			if strings.Contains(told, words) {
				return
			}
		case <-time.After(time.Minute):
			s.Fatalf("nobody is told %q", words)
		}
	}
}

// listened is a user manager that tells everybody everything.
type listened struct{ *bustest.Service }

func (listened) Listen(string) (stop func()) { return func() {} }

type demanded map[string]*observers.Observer

func (d demanded) Demand(source string, need observers.Need) { d[source].Demand(need) }

func TestAfterASleepThatNobodyToldOfEverythingIsReadAgain(t *testing.T) {
	for name, happens := range map[string]func(*sleeper){
		"a tick of the watchdog": func(s *sleeper) { s.ticks <- time.Now() },
		"an event":               func(s *sleeper) { s.inbox <- func() Change { return Change{} } },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSleeper(t)
			before := s.read.Load()
			for range 2 {
				happens(s)
			}
			if read := s.read.Load(); read != before {
				t.Fatalf("without a sleep it read %d times", read-before)
			}
			s.isClosed.Store(true)
			s.slept.Add(int64(3 * time.Second))
			happens(s)
			s.tells("lid closed")
			if read := s.read.Load(); read < before+2 {
				t.Errorf("it read %d times", read-before)
			}
		})
	}
}

func (s *sleeper) publish(_ View, entered []Transition) {
	for _, one := range entered {
		s.entered <- one.Switch + " " + one.To
	}
}

// enters waits until the switch sleep has entered positions, one after the other.
func (s *sleeper) enters(positions ...string) {
	s.Helper()
	for _, want := range positions {
		for got := ""; got != "sleep "+want; {
			select {
			case got = <-s.entered:
				if strings.HasPrefix(got, "sleep ") && got != "sleep "+want {
					s.Fatalf("%s, not %s", got, want)
				}
			case <-time.After(time.Minute):
				s.Fatalf("sleep never enters %s", want)
			}
		}
	}
}

func TestASleepThatNobodyToldOfEndsInWakeTargetToo(t *testing.T) {
	s := newSleeper(t)
	s.slept.Add(int64(3 * time.Second))
	s.ticks <- time.Now()
	s.enters("woken")
	s.slept.Add(int64(3 * time.Second))
	s.ticks <- time.Now()
	s.enters("awake", "woken") // so that its units start again
}
