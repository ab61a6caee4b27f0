package systemdctl

import (
	"maps"
	"math"
	"testing"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// laptop has a kernel's two clocks. The test moves them.
type laptop struct {
	monotonic, boottime fakeClock
}

func newLaptop() *laptop {
	return &laptop{monotonic: fakeClock{now: 20 * time.Hour}, boottime: fakeClock{now: 100 * time.Hour}}
}

func (l *laptop) clocks() Clocks {
	return Clocks{Monotonic: &l.monotonic, Boottime: &l.boottime}
}

// runs lets time pass with the laptop awake.
func (l *laptop) runs(d time.Duration) {
	l.monotonic.pass(d)
	l.boottime.pass(d)
}

func (l *laptop) sleeps(d time.Duration) { l.boottime.pass(d) }

type fakeClock struct {
	now    time.Duration
	timers []*fakeTimer
}

type fakeTimer struct {
	at      time.Duration
	f       func()
	stopped bool
}

func (c *fakeClock) Now() time.Duration { return c.now }

func (c *fakeClock) AfterFunc(d time.Duration, f func()) (stop func()) {
	timer := &fakeTimer{at: c.now + d, f: f}
	c.timers = append(c.timers, timer)
	return func() { timer.stopped = true }
}

func (c *fakeClock) pass(d time.Duration) {
	c.now += d
	due := c.timers
	c.timers = nil
	for _, timer := range due {
		switch {
		case timer.stopped:
		case timer.at > c.now:
			c.timers = append(c.timers, timer)
		default:
			go timer.f()
		}
	}
}

func (c *fakeClock) pending() (timers int) {
	for _, timer := range c.timers {
		if !timer.stopped {
			timers++
		}
	}
	return timers
}

const limitedName = "mail-sync.service"

// failedAt returns the properties of a service that the start limit hit.
func failedAt(at time.Duration, interval uint64) map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"Id":                             dbus.MakeVariant(limitedName),
		"Result":                         dbus.MakeVariant(startLimitHit),
		"WantedBy":                       dbus.MakeVariant([]string{"default.target", online}),
		"RequiredBy":                     dbus.MakeVariant([]string{}),
		"StartLimitIntervalUSec":         dbus.MakeVariant(interval),
		"StateChangeTimestampMonotonic":  dbus.MakeVariant(uint64(at.Microseconds())),
		"InactiveExitTimestampMonotonic": dbus.MakeVariant(uint64(5)),
	}
}

// finds answers the search for failed services, by a manager of a version.
func (m *fakeManager) finds(version string) {
	m.t.Helper()
	m.takeReply()
	m.answer(m.wants("ListUnitsByPatterns [failed]")[0], nil, []systemd.UnitStatus{{Name: limitedName, Path: unitPath(limitedName), JobPath: "/"}})
	m.answer(m.wants(propertiesInterface + ".Get " + managerInterface)[0], nil, dbus.MakeVariant(version))
}

func (m *fakeManager) tells(service map[string]dbus.Variant) {
	m.t.Helper()
	m.answer(m.wants(propertiesInterface + ".GetAll ")[0], nil, service)
}

func TestTheStartLimitIsWaitedOutInTheClockOfTheManager(t *testing.T) {
	const (
		before, after = "257.8-1", "262-1"
		start         = "StartUnit " + limitedName
	)
	type step struct {
		runs, sleeps time.Duration
	}
	for _, test := range []struct {
		name     string
		version  string
		interval time.Duration
		meantime step   // until the service is first checked, after reviveAfter awake
		early    []step // steps after which the limit is not over yet
		over     step
	}{
		{"the default, at the first look", before, 10 * time.Second, step{}, nil, step{}},
		{"the default, at the first look", after, 10 * time.Second, step{}, nil, step{}},
		{"a longer one", before, time.Hour, step{}, []step{{runs: 59 * time.Minute}}, step{runs: time.Minute}},
		{"a longer one", after, time.Hour, step{}, []step{{runs: 59 * time.Minute}}, step{runs: time.Minute}},
		{"sleep does not count", before, time.Hour, step{}, []step{{runs: 9 * time.Minute}, {sleeps: 9 * time.Hour}}, step{runs: 51 * time.Minute}},
		{"sleep counts", after, time.Hour, step{}, []step{{runs: 9 * time.Minute}, {sleeps: 40 * time.Minute}}, step{sleeps: 11 * time.Minute}},
		{"sleep before the first look", before, time.Minute, step{sleeps: time.Hour}, []step{{runs: 49 * time.Second}}, step{runs: time.Second}},
		{"sleep before the first look, in doubt", after, time.Minute, step{sleeps: time.Hour}, []step{{runs: 49 * time.Second}}, step{runs: time.Second}},
	} {
		t.Run(test.name+", "+test.version, func(t *testing.T) {
			m := newManager(t)
			m.begin(isOnline)
			m.r.Want(wantOnline)
			service := failedAt(m.laptop.monotonic.now, uint64(test.interval.Microseconds()))
			pass := func(s step) {
				m.laptop.runs(s.runs)
				m.laptop.sleeps(s.sleeps)
			}
			pass(test.meantime)
			m.wants("")
			m.laptop.runs(reviveAfter)
			m.finds(test.version)
			m.tells(service)
			for _, s := range test.early {
				m.wants("")
				pass(s)
			}
			if test.over != (step{}) {
				m.wants("")
				pass(test.over)
				m.takeReply()
				m.tells(service)
			}
			m.wants(start)
		})
	}
}

func TestAServiceThatFailedAgainIsWaitedForAnew(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	const interval = uint64(60_000_000)
	m.laptop.runs(reviveAfter)
	m.finds("262-1")
	m.tells(failedAt(m.laptop.monotonic.now, interval))
	m.laptop.runs(time.Minute)
	m.takeReply()
	m.tells(failedAt(m.laptop.monotonic.now-time.Second, interval)) // somebody started it, and it was refused again
	m.wants("")
	m.laptop.runs(59 * time.Second)
	m.takeReply()
	m.tells(failedAt(m.laptop.monotonic.now-time.Minute, interval))
	m.wants("StartUnit " + limitedName)
}

func TestNobodyWaitsForAServiceOfATargetThatIsToStop(t *testing.T) {
	m := newManager(t)
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.laptop.runs(reviveAfter)
	m.finds("262-1")
	m.tells(failedAt(m.laptop.monotonic.now, math.MaxUint64)) // a limit without end
	if waits := m.laptop.boottime.pending(); waits != 1 {
		t.Fatalf("%d timers wait", waits)
	}
	m.r.Want(wantOffline)
	if left := m.laptop.boottime.pending(); left != 0 {
		t.Errorf("%d timers are left of what was", left)
	}
}

func TestTheClockOfAManager(t *testing.T) {
	l := newLaptop()
	for version, want := range map[string]*fakeClock{
		"252.39-1~deb12u1":         &l.monotonic,
		"257.8-1":                  &l.monotonic,
		"261.4-2":                  &l.monotonic,
		"v261-rc2-14-g1234567":     &l.monotonic,
		"262-1":                    &l.boottime,
		"262~rc1":                  &l.boottime,
		"v262.1-3-g7654321":        &l.boottime,
		"300":                      &l.boottime,
		"1000":                     &l.boottime,
		"":                         &l.monotonic,
		"unknown":                  &l.monotonic,
		"-1":                       &l.monotonic,
		"99999999999999999999999.": &l.boottime,
	} {
		if got := l.clocks().ofManager(version); got != Clock(want) {
			t.Errorf("of %q it is the other one", version)
		}
	}
}

func TestTheKernelsClocks(t *testing.T) {
	clocks := KernelClocks()
	monotonic, boottime := clocks.Monotonic.Now(), clocks.Boottime.Now()
	if monotonic <= 0 || boottime < monotonic {
		t.Errorf("CLOCK_MONOTONIC is at %v, CLOCK_BOOTTIME at %v", monotonic, boottime)
	}
	for name, clock := range map[string]Clock{"monotonic": clocks.Monotonic, "boottime": clocks.Boottime} {
		t.Run(name, func(t *testing.T) {
			const wait = 20 * time.Millisecond
			began, fired := clock.Now(), make(chan time.Duration, 1)
			stop := clock.AfterFunc(wait, func() { fired <- clock.Now() })
			defer stop()
			if at := <-fired; at-began < wait {
				t.Errorf("it was called after %v", at-began)
			}
			for _, none := range []time.Duration{0, -time.Hour} {
				past := make(chan struct{})
				clock.AfterFunc(none, func() { close(past) })
				<-past
			}
			stopped := clock.AfterFunc(wait, func() { t.Error("it was called after it was stopped") })
			stopped()
			after := make(chan struct{})
			clock.AfterFunc(2*wait, func() { close(after) })
			<-after
		})
	}
}

// The service hangs on a target of the user's, which hangs on the managed one.
func TestAServiceBehindATargetOfTheUsersIsRevived(t *testing.T) {
	for name, test := range map[string]struct{ wantedBy, asked string }{
		"behind it":        {online, "StartUnit " + limitedName},
		"behind another":   {"graphical.target", propertiesInterface + ".GetAll " + unitInterface},
		"behind a circle":  {"mine.target", ""},
		"behind a service": {"other.service", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.begin(isOnline)
			m.r.Want(wantOnline)
			m.laptop.runs(reviveAfter)
			m.finds("257.8-1")
			service := failedAt(m.laptop.monotonic.now-time.Hour, 10_000_000)
			service["WantedBy"] = dbus.MakeVariant([]string{"mine.target"})
			m.tells(service)
			call := m.wants(propertiesInterface + ".GetAll " + unitInterface)[0]
			if call.Path != unitPath("mine.target") {
				t.Fatalf("asked about %s", call.Path)
			}
			m.answer(call, nil, map[string]dbus.Variant{"WantedBy": dbus.MakeVariant([]string{test.wantedBy})})
			m.wants(test.asked)
		})
	}
}

// revived brings the manager to the point where a service was started again, and
// answers that start.
func (m *fakeManager) revived(err error) {
	m.t.Helper()
	m.begin(isOnline)
	m.r.Want(wantOnline)
	m.laptop.runs(reviveAfter)
	m.finds("257.8-1")
	m.tells(failedAt(m.laptop.monotonic.now-time.Hour, 60_000_000))
	m.answer(m.wants("StartUnit " + limitedName)[0], err, dbus.ObjectPath("/job/1"))
	m.laptop.runs(reviveAfter)
	m.takeReply()
}

func TestItIsLookedWhetherAServiceThatWasStartedAgainRuns(t *testing.T) {
	hit := func(m *fakeManager) map[string]dbus.Variant {
		return failedAt(m.laptop.monotonic.now-reviveAfter, 60_000_000)
	}
	for name, test := range map[string]struct {
		err  error
		tell func(*fakeManager, map[string]dbus.Variant)
		then string // once the start limit's time is over
	}{
		"the limit has hit it again": {nil, func(*fakeManager, map[string]dbus.Variant) {}, "StartUnit " + limitedName},
		"it runs": {nil, func(_ *fakeManager, service map[string]dbus.Variant) {
			service["Result"] = dbus.MakeVariant("success")
		}, ""},
		"it has run": {nil, func(_ *fakeManager, service map[string]dbus.Variant) {
			service["InactiveExitTimestampMonotonic"] = dbus.MakeVariant(uint64(6))
		}, ""},
		"its job waits": {nil, func(m *fakeManager, service map[string]dbus.Variant) {
			waiting := maps.Clone(service)
			waiting["Job"] = dbus.MakeVariant([]any{uint32(1), dbus.ObjectPath("/job/1")})
			m.tells(waiting)
			m.laptop.runs(reviveAfter)
			m.takeReply()
		}, "StartUnit " + limitedName},
		"the manager did not answer": {dbus.Error{Name: "org.freedesktop.DBus.Error.NoReply"}, func(*fakeManager, map[string]dbus.Variant) {}, "StartUnit " + limitedName},
		"the manager is away": {nil, func(m *fakeManager, _ map[string]dbus.Variant) {
			ask := m.wants(propertiesInterface + ".GetAll ")[0]
			m.owner(":1.2")
			m.answer(ask, dbus.Error{Name: "org.freedesktop.DBus.Error.NoReply"})
			m.laptop.runs(reviveAfter) // it is not back yet
			m.takeReply()
			list := m.wants("Subscribe, ListUnitsByNames")[1]
			m.list(list, isOnline)
			m.wanting = nil
			m.laptop.runs(reviveAfter)
			m.takeReply()
		}, "StartUnit " + limitedName},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.revived(test.err)
			service := hit(m)
			test.tell(m, service)
			m.tells(service)
			m.wants("")
			if test.then == "" {
				if waits := m.laptop.monotonic.pending(); waits > 0 {
					t.Errorf("%d timers wait", waits)
				}
				return
			}
			m.laptop.runs(time.Minute)
			m.takeReply()
			m.tells(service)
			m.wants(test.then)
		})
	}
}

// Somebody sets the clock on the wall, which no start limit counts in.
func TestAClockThatIsSetEndsNoStartLimit(t *testing.T) {
	for _, version := range []string{"257.8-1", "262-1"} {
		m := newManager(t)
		m.begin(isOnline)
		m.r.Want(wantOnline)
		m.laptop.runs(reviveAfter)
		service := failedAt(m.laptop.monotonic.now, 60_000_000)
		m.r.now = func() time.Time { return time.Now().Add(24 * time.Hour) }
		m.finds(version)
		m.tells(service)
		m.laptop.runs(59 * time.Second)
		m.wants("")
		m.laptop.runs(time.Second)
		m.takeReply()
		m.tells(service)
		m.wants("StartUnit " + limitedName)
	}
}
