package integration

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

var rulesTime = flag.Duration("rules-time", time.Minute, "for how long TestTheRulesOfTheLock lets things happen by each seed")

// mostScreens is the most sessions that there are at once.
const mostScreens = 4

// oneScreen is a session as the test knows it.
type oneScreen struct {
	number    int
	hasScreen bool
	hint      bool
	last      string // what it has said, in the bridge's words
}

// rules are the sessions, and the lock as it must be by its rules. They share no code
// with the bridge. Events happen in bursts, and after each burst everything is quiet.
type rules struct {
	*scene
	random   *rand.Rand
	all      []*oneScreen
	isLocked bool
	isAsleep bool
	said     map[int]bool // whether a session is locked, by its last word since the screen was locked
	burst    []string     // what has happened in it
	unlocked []time.Time  // when something in it has allowed an unlock
	seen     int          // events of the user manager up to its beginning
	stops    int
}

// TestTheRulesOfTheLock makes events happen at random. The two targets are never
// active together and one of them always is, and no locker stops without a signal
// that allows it.
func TestTheRulesOfTheLock(t *testing.T) {
	for _, seed := range seeds(4711) {
		// It does not use the test's log, which is lost if the test is cut off or
		// passes.
		fmt.Printf("TestTheRulesOfTheLock: -seed=%d -rules-time=%v\n", seed, *rulesTime)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := &rules{scene: begin(t, sandbox.Options{NoSession: true}), random: rand.New(rand.NewPCG(uint64(seed), 0)), said: map[int]bool{}}
			r.enable("locker.service", "[Unit]\nPartOf=lock.target\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=lock.target\n")
			r.enable("awake.service", "[Unit]\nPartOf=unlock.target\nAfter=unlock.target\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 0.05\n[Install]\nWantedBy=unlock.target\n")
			r.install()
			r.begins("wayland", "seat0")
			r.online()
			bursts, began := 0, time.Now()
			for ; time.Since(began) < *rulesTime; bursts++ {
				r.settles()
				r.happen()
			}
			r.settles()
			r.neverBoth("lock.target", "unlock.target")
			fmt.Printf("TestTheRulesOfTheLock: %d bursts, the locker was started %d times and stopped %d times\n", bursts, r.timeline.Starts("locker.service"), r.stops)
		})
	}
}

// happen makes a burst of events happen. A sleep is its last: a signal during the sleep's
// lock may be heard before or after the lock. So is the end of a session: the bridge asks
// logind which sessions are left, and hears what follows before or after the answer.
func (r *rules) happen() {
	r.Helper()
	if r.random.IntN(3) == 0 {
		r.note("the user manager takes its time")
		r.must(r.User.Signal(syscall.SIGSTOP))
	}
	defer r.goOn()
	for range 1 + r.random.IntN(6) {
		pause := 0
		if r.random.IntN(3) > 0 {
			pause = r.random.IntN(60)
		}
		time.Sleep(time.Duration(pause) * time.Millisecond) // what is tested, not a wait
		if r.next() {
			return
		}
	}
}

// goOn lets the user manager go on.
func (r *rules) goOn() {
	r.Helper()
	r.must(r.User.Signal(syscall.SIGCONT))
}

// next makes the next event happen, and reports whether it is the last of its burst.
func (r *rules) next() (isLast bool) {
	r.Helper()
	kind := r.random.IntN(100)
	switch {
	case kind < 8:
		where := [][2]string{{"wayland", "seat0"}, {"x11", ""}, {"tty", "seat0"}, {"tty", ""}}[r.random.IntN(4)]
		if len(r.all) < mostScreens {
			r.begins(where[0], where[1])
		}
		return false
	case kind < 16:
		r.sleeps()
		return r.isAsleep
	case len(r.all) == 0:
		return false
	}
	one := r.all[r.random.IntN(len(r.all))]
	switch {
	case kind < 26:
		r.ends(one)
		return true
	case kind < 48:
		r.note("%d Lock", one.number)
		r.says(one, true, true)
		r.must(r.Login1.AskSessionToLock(one.number, true))
	case kind < 76:
		r.note("%d Unlock", one.number)
		r.says(one, false, true)
		r.must(r.Login1.AskSessionToLock(one.number, false))
	default:
		one.hint = !one.hint
		r.note("%d hint %t", one.number, one.hint)
		r.says(one, one.hint, false)
		r.must(r.Login1.SetSessionsHint(one.number, one.hint))
	}
	return false
}

func (r *rules) note(format string, args ...any) {
	r.burst = append(r.burst, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (r *rules) begins(kind, seat string) {
	r.Helper()
	r.goOn() // otherwise the bridge does not learn of the session
	number := r.logsIn(fakes.SessionKind{Type: kind, Seat: seat})
	r.note("%d begins: %s %s", number, kind, seat)
	r.all = append(r.all, &oneScreen{number: number, hasScreen: kind != "tty" || seat != ""})
}

func (r *rules) ends(one *oneScreen) {
	r.Helper()
	r.note("%d ends", one.number)
	r.all = slices.DeleteFunc(r.all, func(other *oneScreen) bool { return other == one })
	delete(r.said, one.number)
	r.decide()
	r.must(r.Login1.EndSession(one.number))
}

// sleeps begins a sleep, or ends the present one.
func (r *rules) sleeps() {
	r.Helper()
	r.isAsleep = !r.isAsleep
	r.note("PrepareForSleep %t", r.isAsleep)
	if r.isAsleep {
		r.locks()
	}
	r.must(r.Login1.PrepareForSleep(r.isAsleep))
}

// locks notes that every screen must be locked: an earlier unlock no longer counts.
func (r *rules) locks() {
	for number, isLocked := range r.said {
		if !r.isLocked || !isLocked {
			delete(r.said, number)
		}
	}
	r.isLocked = true
}

// says notes that a session has said whether it is locked, by a signal or by its
// hint.
func (r *rules) says(one *oneScreen, isLocked, isSignal bool) {
	one.last = fmt.Sprintf("Locked=%t ", isLocked)
	switch {
	case !one.hasScreen:
		return
	case isLocked && (isSignal || !r.isLocked):
		r.locks()
	}
	if r.isLocked {
		r.said[one.number] = isLocked
	}
	r.decide()
}

// decide unlocks if one has said that it is unlocked and none is locked.
func (r *rules) decide() {
	isOneLocked, isOneUnlocked := false, false
	for _, isLocked := range r.said {
		isOneLocked, isOneUnlocked = isOneLocked || isLocked, isOneUnlocked || !isLocked
	}
	if r.isLocked && isOneUnlocked && !isOneLocked {
		r.isLocked, r.said = false, map[int]bool{}
		r.unlocked = append(r.unlocked, time.Now())
	}
}

// settles waits until all is quiet after a burst, and checks what the user manager
// did meanwhile.
func (r *rules) settles() {
	r.Helper()
	r.knows(r.reason(), true)
	position := map[bool]string{true: "locked", false: "unlocked"}[r.isLocked]
	r.Logf("%s after %q", position, r.burst)
	r.lock(position)
	if r.isAsleep {
		r.expect("active", "sleep.target")
	} else {
		r.expect("inactive", "sleep.target")
	}
	r.settle()
	for unit, isUp := range map[string]bool{"lock.target": r.isLocked, "locker.service": r.isLocked, "unlock.target": !r.isLocked, "awake.service": !r.isLocked} {
		if state := r.timeline.State(unit); (state == "active") != isUp {
			r.Fatalf("%s is %s though the lock is %s after %q", unit, state, position, r.burst)
		}
	}
	r.checkStops()
	r.burst, r.unlocked = nil, nil
}

// reason returns what the bridge says about the sessions once it has heard
// everything.
func (r *rules) reason() string {
	var screens []*oneScreen
	for _, one := range r.all {
		if one.hasScreen {
			screens = append(screens, one)
		}
	}
	if len(screens) == 0 {
		return "the user has no graphical session"
	}
	// In the order of their paths.
	slices.SortFunc(screens, func(a, b *oneScreen) int { return strings.Compare(fmt.Sprint(a.number), fmt.Sprint(b.number)) })
	var words []string
	for _, one := range screens {
		word := fmt.Sprintf("%sLockedHint=%t", one.last, one.hint)
		if len(screens) > 1 {
			word = fmt.Sprintf("session %d: %s", one.number, word)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// checkStops checks that for each stop of the locker something had allowed it.
func (r *rules) checkStops() {
	r.Helper()
	events := r.timeline.Events()
	stops, wasUp := 0, false
	for i, event := range events {
		if event.Kind != sandbox.UnitChanged || event.Unit != "locker.service" {
			continue
		}
		isUp := event.Active == "active"
		if i >= r.seen && wasUp && !isUp {
			allowed := 0
			for _, at := range r.unlocked {
				if !at.After(event.Time) {
					allowed++
				}
			}
			if stops++; stops > allowed {
				r.Fatalf("the locker has stopped %d times though %d signals allowed it: %s; after %q", stops, allowed, event, r.burst)
			}
		}
		wasUp = isUp
	}
	r.stops, r.seen = r.stops+stops, len(events)
}
