package bridge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// lockSmith hands out locks, or the error that the test sets.
type lockSmith struct {
	*testing.T
	delay *Delay
	clock *fakeClock
	log   bytes.Buffer
	inbox Inbox

	err        error
	held, most int
	done       func() // of the wait that is on
	unfinished []string
}

type lock struct{ smith *lockSmith }

func (l lock) Close() error {
	l.smith.held--
	return nil
}

func (s *lockSmith) AwaitJobs(_ []string, done func()) { s.done = done }
func (s *lockSmith) StopWaiting()                      { s.done = nil }
func (s *lockSmith) Unfinished() []string              { return s.unfinished }

func newSmith(t *testing.T) *lockSmith {
	t.Helper()
	s := &lockSmith{T: t, clock: newClock(), inbox: make(Inbox)}
	take := func(_ context.Context, what string) (io.Closer, error) {
		if what != "sleep" {
			t.Errorf("a lock on %q was asked for", what)
		}
		if s.err != nil {
			return nil, s.err
		}
		return lock{s}, nil
	}
	s.delay = NewDelay("sleep", nil, take, s, s.inbox, s.clock.now, slog.New(slog.NewTextHandler(&s.log, nil)))
	return s
}

const limit = 5 * time.Second

func (s *lockSmith) follow(owner string, underway bool) {
	s.delay.Follow(context.Background(), owner, underway, limit)
}

// arrives waits for the lock that was requested, or for the refusal.
func (s *lockSmith) arrives() {
	s.Helper()
	select {
	case take := <-s.inbox:
		if s.err == nil {
			s.held++
			s.most = max(s.most, s.held)
		}
		take()
	case <-time.After(time.Minute):
		s.Fatal("no lock was asked for")
	}
}

func (s *lockSmith) wants(held int) {
	s.Helper()
	if s.held != held || s.most > 1 {
		s.Fatalf("%d locks are held, not %d, and there were %d at once", s.held, held, s.most)
	}
}

func TestALockIsHeldUntilTheUnitsHaveFinished(t *testing.T) {
	s := newSmith(t)
	for range 3 {
		s.follow(":1.1", false)
		s.arrives()
		s.wants(1)
		s.follow(":1.1", true)
		s.follow(":1.1", true) // said twice
		s.wants(1)
		s.done()
		s.wants(0)
		s.follow(":1.1", true)
		s.wants(0)
		if due, waiting := s.delay.Due(); waiting {
			t.Fatalf("there is nothing to do, but due is %v", due.Sub(s.clock.now()))
		}
	}
	if s.log.Len() > 0 {
		t.Errorf("logged %s", &s.log)
	}
}

func TestALockIsGivenBackInTime(t *testing.T) {
	for _, one := range []struct {
		unfinished []string
		logs       string
	}{
		{[]string{"slow.service", "slower.service"}, `units unfinished" unfinished="slow.service slower.service" `},
		{nil, `sleep begins before the user manager has said which units are unfinished" next=`}, // on a slow machine
	} {
		s := newSmith(t)
		s.unfinished = one.unfinished
		s.follow(":1.1", false)
		s.arrives()
		s.follow(":1.1", true)
		due, waiting := s.delay.Due()
		if !waiting || !due.After(s.clock.now()) || !due.Before(s.clock.Add(limit)) {
			t.Fatalf("due after %v (%t)", due.Sub(s.clock.now()), waiting)
		}
		s.clock.Time = due.Add(-time.Millisecond)
		s.delay.Tick()
		s.wants(1)
		s.clock.Time = due
		s.delay.Tick()
		s.wants(0)
		if s.done != nil || !strings.Contains(s.log.String(), one.logs) {
			t.Errorf("with %q unfinished it logged %s", one.unfinished, &s.log)
		}
	}
}

func TestTheLockOfAStoppedLogindIsGivenBack(t *testing.T) {
	s := newSmith(t)
	s.follow(":1.1", false)
	s.follow("", false) // before the lock is there
	s.arrives()
	s.wants(0)
	s.follow(":1.2", false)
	s.arrives()
	s.wants(1)
	s.follow(":1.3", false)
	s.wants(0)
	s.arrives()
	s.wants(1)
	s.delay.Close()
	s.wants(0)
}

func TestARefusalIsLoggedOnceAndNotTriedAgain(t *testing.T) {
	s := newSmith(t)
	s.err = dbus.Error{Name: "org.freedesktop.DBus.Error.AccessDenied", Body: []any{"Access denied"}}
	s.follow(":1.1", false)
	s.arrives()
	s.clock.pass(time.Hour)
	s.follow(":1.1", false)
	if _, waiting := s.delay.Due(); waiting || strings.Count(s.log.String(), "\n") != 1 || !strings.Contains(s.log.String(), "polkit") {
		t.Errorf("logged %s", &s.log)
	}
	s.err = nil
	s.follow(":1.2", false) // another logind may think otherwise
	s.arrives()
	s.wants(1)
}

func TestALockThatCameTooLateIsTriedAgain(t *testing.T) {
	s := newSmith(t)
	s.err = dbus.Error{Name: "org.freedesktop.login1.OperationInProgress"}
	s.follow(":1.1", false)
	s.arrives()
	s.follow(":1.1", false)
	due, waiting := s.delay.Due()
	if !waiting || s.log.Len() > 0 {
		t.Fatalf("waiting %t, logged %s", waiting, &s.log)
	}
	s.err = nil
	s.clock.Time = due
	s.follow(":1.1", false)
	s.arrives()
	s.wants(1)
}

func TestARefusedLockIsTakenOnRequest(t *testing.T) {
	s := newSmith(t)
	s.err = dbus.Error{Name: "org.freedesktop.DBus.Error.AccessDenied", Body: []any{"Access denied"}}
	s.follow(":1.1", false)
	s.arrives()
	for range 2 { // the same failure is no news
		s.delay.TryAgain()
		s.follow(":1.1", false)
		s.arrives()
		if s.delay.State() != "refused" || strings.Count(s.log.String(), "\n") != 1 {
			t.Fatalf("%s, logged %s", s.delay.State(), &s.log)
		}
	}
	s.err = nil // polkit is installed
	s.delay.TryAgain()
	s.follow(":1.1", false)
	s.arrives()
	s.wants(1)
}

func TestAFailureIsLoggedWhenItChanges(t *testing.T) {
	s := newSmith(t)
	for i, failure := range []string{"no bus", "no bus", "no room", "no room", "no bus"} {
		s.err = errors.New(failure)
		s.follow(":1.1", false)
		s.arrives()
		due, _ := s.delay.Due()
		s.clock.Time = due
		if want := []int{1, 1, 2, 2, 3}[i]; strings.Count(s.log.String(), "\n") != want {
			t.Fatalf("after %d failures logged %s", i+1, &s.log)
		}
	}
}

func TestADelayOfAnyLengthIsAnHourAtMost(t *testing.T) {
	for micros, want := range map[uint64]time.Duration{
		5_000_000: 5 * time.Second, 3_600_000_000: time.Hour, 7_200_000_000: time.Hour, math.MaxUint64: time.Hour,
	} {
		if got := limitOf(micros, true); got != want {
			t.Errorf("%d: %v, not %v", micros, got, want)
		}
	}
	if got := limitOf(0, false); got != defaultDelay {
		t.Errorf("untold: %v", got)
	}
	s := newSmith(t)
	s.follow(":1.1", false)
	s.arrives()
	s.delay.Follow(context.Background(), ":1.1", true, limitOf(math.MaxUint64, true))
	s.clock.Time, _ = s.delay.Due()
	s.delay.Tick()
	if log := s.log.String(); strings.Contains(log, "raise InhibitDelayMaxSec=") || !strings.Contains(log, "48m0s") {
		t.Errorf("logged %s", log)
	}
}

// An end while units are waited for would let the machine sleep without them.
func TestTheBridgeDoesNotLeaveWhileUnitsAreWaitedFor(t *testing.T) {
	s := newSmith(t)
	l := &loop{Config: Config{Delays: []*Delay{s.delay}}}
	may := func(want bool) {
		t.Helper()
		if l.mayLeave() != want {
			t.Errorf("it may leave: %t", !want)
		}
	}
	may(true)
	s.follow(":1.1", false)
	s.arrives()
	may(true)
	s.follow(":1.1", true)
	may(false)
	s.done()
	may(true)
}
