package integration

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// othersFor is how long other users keep logind signalling.
var othersFor = flag.Duration("others", 5*time.Second, "how long other users lock and unlock their sessions 2,500 times a second")

func TestOtherUsersOnDbusDaemon(t *testing.T) {
	testOtherUsers(t, sandbox.Options{Bus: sandbox.DbusDaemon})
}

func TestOtherUsersOnDbusBroker(t *testing.T) {
	testOtherUsers(t, sandbox.Options{Bus: sandbox.DbusBroker})
}

// Another user may lock and unlock their own session as often as they like. The real
// logind signals each Lock and Unlock, and the change of LockedHint.
func testOtherUsers(t *testing.T, options sandbox.Options) {
	leaveOutBroker(t, options)
	s := begin(t, options)
	s.must(s.Login1.SetSession(sandbox.UID, true))
	s.install()
	s.status("lock unlocked")
	s.lid("open")
	s.locks(1)
	arrived := s.receive()
	s.lidAndSleep()

	const signals, aSecond = 100_000, 5000
	done := make(chan error, 1)
	amid := func(int) bool { return len(done) == 0 }
	var quiet, burst, long latency
	for range 3 { // in turns, because the machine may be busier at one time than at another
		quiet.add(s.rounds(arrived, func(n int) bool { return n < 40 }))
		go func() { done <- s.others(signals, 0) }()
		burst.add(s.rounds(arrived, amid))
		s.must(<-done)
	}
	go func() { done <- s.others(signals, 0) }()
	s.lidAndSleep()
	s.must(<-done)

	go func() { done <- s.others(int(othersFor.Seconds()*aSecond), aSecond) }()
	s.lidAndSleep()
	long.add(s.rounds(arrived, amid))
	s.must(<-done)
	fmt.Printf("%s: nothing is lost; from Lock or Unlock to the target, and of that until it arrives at a receiver:\n"+
		"  in quiet %s\n  while others make %d signals at once %s, %s\n  while they make %d a second for %v %s, %s\n",
		t.Name(), quiet, signals, burst, burst.over(quiet), aSecond, *othersFor, long, long.over(quiet))
	s.started(bridgeUnit, 1)
}

// latency is how long it took each time after a Lock or an Unlock.
type latency struct {
	toTarget  []time.Duration // until the target was active
	toArrival []time.Duration // until it arrived at a program that does nothing else
}

func (l *latency) add(more latency) {
	l.toTarget = append(l.toTarget, more.toTarget...)
	l.toArrival = append(l.toArrival, more.toArrival...)
}

func (l latency) String() string {
	return fmt.Sprintf("%s (%s)", times(l.toTarget), times(l.toArrival))
}

// over says how many times as long it took as in quiet.
func (l latency) over(quiet latency) string {
	return fmt.Sprintf("at p99 %.2f times as long as in quiet (%.2f times)",
		at99(l.toTarget).Seconds()/at99(quiet.toTarget).Seconds(), at99(l.toArrival).Seconds()/at99(quiet.toArrival).Seconds())
}

// rounds locks and unlocks the user's session as long as it may go on. It waits for
// each target, and for the receiver's report.
func (s *scene) rounds(arrived <-chan arrival, mayGoOn func(n int) bool) (took latency) {
	s.Helper()
	for n := 0; n == 0 || mayGoOn(n); n++ {
		for _, locked := range []bool{true, false} {
			signal, target := "Unlock", "unlock.target"
			if locked {
				signal, target = "Lock", "lock.target"
			}
			began := time.Now()
			s.must(s.Login1.AskToLock(locked))
			s.expect("active", target)
			took.toTarget = append(took.toTarget, time.Since(began))
			took.toArrival = append(took.toArrival, s.arrives(arrived, signal, began).Sub(began))
		}
	}
	return took
}

// lidAndSleep closes and opens the lid, and goes to sleep in between.
func (s *scene) lidAndSleep() {
	s.Helper()
	s.must(s.Login1.SetLid(true))
	s.must(s.Login1.PrepareForSleep(true))
	s.lid("closed")
	s.locks(0)
	s.wakeUp()
	s.must(s.Login1.SetLid(false))
	s.lid("open")
}

// others makes logind signal what another user does with their own session: a Lock
// or an Unlock, and the hint. Without a rate it does so as fast as it can.
func (s *scene) others(signals, aSecond int) error {
	const perTurn = 2
	began := time.Now()
	for made := 0; made < signals; made += perTurn {
		if err := s.Login1.LockOther("1", made%(2*perTurn) == 0); err != nil {
			return err
		}
		if aSecond > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(made) * time.Second / time.Duration(aSecond))))
		}
	}
	return nil
}

// times returns the median and the 99th percentile.
func times(took []time.Duration) string {
	const digits = 10 * time.Microsecond
	return fmt.Sprintf("%v, at p99 %v (of %d)", slices.Sorted(slices.Values(took))[len(took)/2].Round(digits), at99(took).Round(digits), len(took))
}

func at99(took []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(took))[len(took)*99/100]
}

// Whatever other users do, with however many sessions, the bridge reads nothing
// because of it.
func TestWhatOtherUsersDoIsNeverAReasonToRead(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.must(s.Login1.SetSession(sandbox.UID, true))
	s.install()
	s.status("lock unlocked")
	s.lid("open")
	s.locks(1)
	const sessions = 3000
	for name, does := range map[string]func(n int) error{
		"lock":       func(n int) error { return s.Login1.LockOther(strconv.Itoa(n), true) },
		"only hint":  func(n int) error { return s.Login1.HintOther(strconv.Itoa(n), true) },
		"inhibitors": func(int) error { return s.Login1.NoteOthersInhibitor() },
	} {
		before := s.Login1.Readings()
		for n := range sessions {
			s.must(does(n))
		}
		s.must(s.Login1.AskToLock(true)) // it is handled after what came before
		s.expect("active", "lock.target")
		s.must(s.Login1.AskToLock(false))
		s.expect("active", "unlock.target")
		if n := s.Login1.Readings() - before; n > 0 {
			t.Errorf("%s: logind was asked %d times", name, n)
		}
	}
}

func TestTheBusSendsSignalsOfTheUsersOwnSessionsAlone(t *testing.T) {
	s := begin(t, sandbox.Options{Bus: sandbox.DbusDaemon})
	s.must(s.Login1.SetSession(sandbox.UID, true))
	s.install()
	s.status("lock unlocked")
	conn, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer conn.Close()
	sends := func(want ...dbus.ObjectPath) {
		s.Helper()
		for _, member := range []string{"PropertiesChanged", "Lock", "Unlock"} {
			s.until(fmt.Sprintf("the bus sends %s of %v alone", member, want), func() bool {
				return slices.Equal(s.sessionsHeard(conn)[member], want)
			})
		}
	}
	first := s.Login1.Session()
	sends(first)
	number := s.logsIn(fakes.SessionKind{Type: "wayland", Seat: "seat0"})
	sends(first, s.Login1.Session())
	s.must(s.Login1.BeginOther("1"))
	s.must(s.Login1.EndSession(number)) // which makes the bridge read the sessions once more
	sends(first)
	s.must(s.Login1.Vanish())
	s.status("lock unlocked (in doubt: logind is not running)")
	s.must(s.Login1.Appear(s.ctx))
	s.lock("unlocked")
	sends(first)
}

// sessionsHeard returns, by the names of signals, the paths of which sessions the bridge's
// match rules name, or the path above all. The bus must be a dbus-daemon.
func (s *scene) sessionsHeard(conn *dbus.Conn) map[string][]dbus.ObjectPath {
	s.Helper()
	member := regexp.MustCompile(`member='(\w+)'`)
	session := regexp.MustCompile(`path(?:_namespace)?='(/org/freedesktop/login1/session[^']*)'`)
	heard := map[string][]dbus.ObjectPath{}
	for _, rule := range strings.Split(s.rules(conn), "\n") {
		if of := session.FindStringSubmatch(rule); of != nil {
			what := member.FindStringSubmatch(rule)[1]
			heard[what] = append(heard[what], dbus.ObjectPath(of[1]))
		}
	}
	for member, paths := range heard {
		slices.Sort(paths)
		heard[member] = slices.Compact(paths)
	}
	return heard
}

func TestALockOfANewSessionAmidThoseOfOthersIsHeard(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.lid("open")
	const others = 300
	for range 10 {
		for range others {
			s.must(s.Login1.LockOther("1", true))
		}
		number := s.logsIn(fakes.SessionKind{Type: "wayland", Seat: "seat0"})
		s.must(s.Login1.AskSessionToLock(number, true))
		for range others {
			s.must(s.Login1.LockOther("1", false))
		}
		s.lock("locked")
		s.must(s.Login1.AskSessionToLock(number, false))
		s.lock("unlocked")
		s.must(s.Login1.EndSession(number))
	}
}
