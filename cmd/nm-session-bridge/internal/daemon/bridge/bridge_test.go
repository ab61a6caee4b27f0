package bridge

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// targets remembers what is wanted, and is where the test says it is.
type targets struct {
	wanted  map[string]bool
	active  []string
	pending bool
	problem string
	again   int
}

func (t *targets) StartAgain(targets []string) {
	if slices.Equal(targets, []string{"open.target"}) {
		t.again++
	}
}

func (t *targets) Want(wanted map[string]bool) { maps.Copy(t.wanted, wanted) }

func (t *targets) Active() []string { return t.active }

func (t *targets) Progress(map[string]bool) (bool, string) { return t.pending, t.problem }

// sources remembers what was asked of it.
type sources struct {
	demands []observers.Need
	forgot  int
}

func (s *sources) Demand(_ string, need observers.Need) { s.demands = append(s.demands, need) }

func (s *sources) Forget(string) { s.forgot++ }

// door is a switch that reads what the test puts into reading.
func door(reading *observers.Reading) observers.Switch {
	return observers.Switch{
		Name:      "door",
		Positions: []observers.Position{{Name: "open", Targets: []string{"open.target"}}, {Name: "shut", Targets: []string{"shut.target"}}},
		Sources:   []observers.Source{{ID: "org.example.Door"}},
		Reader: func(observers.Policy) observers.Reader {
			return func(observers.Snapshot) observers.Reading { return *reading }
		},
	}
}

// fakeClock shows the time that the test says it is.
type fakeClock struct{ time.Time }

func newClock() *fakeClock { return &fakeClock{time.Now()} }

func (c *fakeClock) now() time.Time { return c.Time }

func (c *fakeClock) pass(d time.Duration) { c.Time = c.Add(d) }

func begin() (*Bridge, *targets, *observers.Reading, *bytes.Buffer, *fakeClock) {
	t, clock := &targets{wanted: map[string]bool{}}, newClock()
	var log bytes.Buffer
	reading := &observers.Reading{}
	b := New(observers.Switches{door(reading)}, observers.Policy{}, t, t, &sources{}, clock.now, slog.New(slog.NewTextHandler(&log, nil)))
	return b, t, reading, &log, clock
}

var facts = observers.Facts{Source: "org.example.Door"}

func TestASourceToBePolledIsNotHeardBeforeThePoll(t *testing.T) {
	b, _, reading, _, _ := begin()
	*reading = observers.Reading{Needs: map[string]observers.Need{facts.Source: observers.Polled}}
	b.Observe(facts)
	if b.Heard() {
		t.Error("the door was heard before it was polled")
	}
	b.Observe(observers.Facts{Source: facts.Source, Problem: "it is gone"})
	if !b.Heard() {
		t.Error("a door that is gone is waited for")
	}
}

func TestARequestIsHandledOnceEvenIfNothingChanges(t *testing.T) {
	b, targets, reading, _, _ := begin()
	ask := func(position string, request dbus.Sequence) {
		*reading = observers.Reading{Position: position, Request: request}
		b.Observe(facts)
	}
	targets.pending = true
	ask("open", 3) // which is a change
	if targets.again != 0 {
		t.Fatalf("there were %d starts too many", targets.again)
	}
	ask("open", 4) // on the way there, where something may have ended already
	targets.pending = false
	b.Settle()
	ask("open", 4)
	if targets.again != 1 {
		t.Fatalf("a request on the way made %d starts", targets.again)
	}
	targets.again = 0
	ask("open", 6)
	ask("open", 6)
	ask("open", 0) // no request any more
	ask("open", 7)
	if targets.again != 2 {
		t.Errorf("two requests made %d starts", targets.again)
	}
	if _, err := b.Hold("door", "open"); err != nil {
		t.Fatal(err)
	}
	ask("open", 8)
	if targets.again != 3 {
		t.Error("a request for the position that the switch is held in was not heeded")
	}
	ask("shut", 9)
	if targets.again != 3 || targets.wanted["shut.target"] {
		t.Error("a switch that is held by hand was moved")
	}
}

func TestADoubtDoesNotProtectAPositionSetByHand(t *testing.T) {
	b, targets, reading, _, _ := begin()
	*reading = observers.Reading{Position: "open"}
	b.Observe(facts)
	*reading = observers.Reading{Position: "shut", Grace: time.Hour, GraceOnlyFrom: "open"}
	b.Observe(facts)
	for _, test := range []struct{ held, then string }{{"open", "open.target"}, {"shut", "shut.target"}} {
		_, holding := b.Hold("door", test.held)
		_, releasing := b.Release("door")
		if err := errors.Join(holding, releasing); err != nil {
			t.Fatal(err)
		}
		if !targets.wanted[test.then] {
			t.Errorf("after a hand has put the door %s it wants %v", test.held, targets.wanted)
		}
	}
}

func TestAPositionHeldBeforeTheStartIsNoFact(t *testing.T) {
	b, targets, reading, _, _ := begin()
	targets.active = []string{"open.target"}
	b.Adopt()
	b.HoldAll(map[string]string{"door": "open"})
	*reading = observers.Reading{Position: "shut", Grace: time.Hour, GraceOnlyFrom: "open"}
	b.Observe(facts)
	if _, err := b.Release("door"); err != nil || !targets.wanted["shut.target"] {
		t.Errorf("it wants %v, %v", targets.wanted, err)
	}
}

func TestTheDoubtAboutAHeldSwitchEnds(t *testing.T) {
	b, _, reading, _, clock := begin()
	if _, err := b.Hold("door", "open"); err != nil {
		t.Fatal(err)
	}
	*reading = observers.Reading{Position: "shut", Reason: "it creaks", Grace: time.Second}
	if change := b.Observe(facts); !change.View || b.View().Facts["door.doubt"] == "" {
		t.Fatal("there is no doubt")
	}
	clock.pass(time.Second)
	change := b.Tick()
	if doubt := b.View().Facts["door.doubt"]; !change.View || doubt != "" {
		t.Errorf("the doubt is %q, and nobody is told of the change", doubt)
	}
}

func TestATransitionIsLoggedWhenItsTargetsArrive(t *testing.T) {
	b, targets, reading, log, clock := begin()
	if b.Heard() {
		t.Error("the door was not heard yet")
	}
	*reading = observers.Reading{Position: "open", Reason: "Latch=up"}
	targets.pending = true
	b.Observe(facts)
	b.Settle()
	if !b.Heard() || !targets.wanted["open.target"] || targets.wanted["shut.target"] || log.Len() > 0 {
		t.Errorf("wanted %v, logged %s", targets.wanted, log)
	}
	targets.pending = false
	clock.pass(12 * time.Millisecond)
	b.Settle()
	clock.pass(time.Second)
	b.Settle()
	want := `msg="door is open" switch=door from=unknown to=open reason="Latch=up" targets=open.target duration=12ms`
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
		t.Errorf("logged %s, want once %s", got, want)
	}
}

func TestASupersededTransitionIsLoggedAsSuch(t *testing.T) {
	b, targets, reading, log, _ := begin()
	targets.pending = true
	for _, position := range []string{"open", "shut"} {
		*reading = observers.Reading{Position: position}
		b.Observe(facts)
		b.Settle()
	}
	if !strings.Contains(log.String(), "to=open") || !strings.Contains(log.String(), "result=superseded") {
		t.Errorf("logged %s", log)
	}
}

func TestALongTransitionIsLoggedBeforeItsEnd(t *testing.T) {
	b, targets, reading, log, clock := begin()
	targets.pending = true
	*reading = observers.Reading{Position: "open"}
	b.Observe(facts)
	due, waiting := b.Due()
	if !waiting {
		t.Fatal("nothing is due")
	}
	clock.Time = due
	b.Settle()
	if !strings.Contains(log.String(), "still waiting") {
		t.Errorf("logged %s", log)
	}
	if _, waiting := b.Due(); waiting {
		t.Error("still due after it was told")
	}
}

func TestAnAdoptedPositionIsKeptInDoubt(t *testing.T) {
	b, targets, reading, log, clock := begin()
	targets.active = []string{"shut.target"}
	b.Adopt()
	*reading = observers.Reading{Position: "open", Reason: "Latch=?", Grace: time.Second, GraceOnlyFrom: "shut"}
	b.Observe(facts)
	if got, want := b.Status(), "door shut (in doubt: Latch=?)"; got != want {
		t.Errorf("status %q, want %q", got, want)
	}
	due, waiting := b.Due()
	if !waiting || !due.Equal(clock.Add(time.Second)) || !targets.wanted["shut.target"] {
		t.Errorf("due %v (%t), wanted %v", due.Sub(clock.Time), waiting, targets.wanted)
	}
	clock.Time = due
	b.Tick()
	b.Settle()
	if !targets.wanted["open.target"] || targets.wanted["shut.target"] || !strings.Contains(log.String(), "from=shut to=open") {
		t.Errorf("wanted %v, logged %s", targets.wanted, log)
	}
}

func TestTheEndOfADelayedOperationMakesEverythingStale(t *testing.T) {
	b, _, reading, _, _ := begin()
	b.switches[0].Delays, b.switches[0].During = "slam", "shut"
	for _, step := range []struct {
		position string
		underway bool
		stale    bool
	}{{"open", false, false}, {"shut", true, false}, {"open", false, true}, {"open", false, false}} {
		*reading = observers.Reading{Position: step.position}
		change := b.Observe(facts)
		if _, underway := b.Underway("slam"); underway != step.underway || change.Stale != step.stale {
			t.Errorf("%+v: underway %t", step, underway)
		}
	}
}

func TestAServiceIsDemandedWhileItIsNeeded(t *testing.T) {
	b, _, reading, log, _ := begin()
	asked := &sources{}
	b.sources = asked
	for _, needs := range []map[string]observers.Need{nil, {"org.example.Door": observers.Polled}, {"org.example.Door": observers.Polled}, nil} {
		*reading = observers.Reading{Position: "open", Needs: needs, Origin: observers.Origin{Source: "from the latch", Because: "it is there"}}
		b.Observe(facts)
	}
	if !slices.Equal(asked.demands, []observers.Need{observers.Polled, observers.Watched}) {
		t.Errorf("demanded %v", asked.demands)
	}
	if strings.Count(log.String(), "the door is read from the latch") != 1 {
		t.Errorf("logged %s", log)
	}
	if got, want := b.Status(), "door open (from the latch)"; got != want {
		t.Errorf("status %q, want %q", got, want)
	}
}

func TestAnUnknownPositionHasAReason(t *testing.T) {
	b, targets, reading, _, _ := begin()
	*reading = observers.Reading{Reason: "no latch"}
	b.Observe(facts)
	if got, want := b.Status(), "door unknown (no latch)"; got != want {
		t.Errorf("status %q, want %q", got, want)
	}
	if got := b.View().Facts["door.reason"]; got != "no latch" {
		t.Errorf("the view gives the reason %q", got)
	}
	if targets.wanted["open.target"] || targets.wanted["shut.target"] || len(targets.wanted) != 2 {
		t.Errorf("wanted %v", targets.wanted)
	}
}

func TestAnAdoptedPositionTakesItsReasonFromTheReading(t *testing.T) {
	b, targets, reading, _, _ := begin()
	targets.active = []string{"shut.target"}
	b.Adopt()
	for _, step := range []struct {
		reading observers.Reading
		want    string
	}{
		{observers.Reading{Position: "shut", Reason: "Latch=true"}, "Latch=true"},
		{observers.Reading{Position: "open", Reason: "Latch=?", Grace: time.Second, GraceOnlyFrom: "shut"}, ""},
		{observers.Reading{Position: "open", Reason: "Latch=false"}, "Latch=false"},
		{observers.Reading{Position: "open", Reason: "Latch=0"}, "Latch=false"},
	} {
		*reading = step.reading
		b.Observe(facts)
		if got := b.View().Facts["door.reason"]; got != step.want {
			t.Errorf("%+v: the reason is %q", step, got)
		}
	}
}

func TestTheStatusIsOneShortLine(t *testing.T) {
	b, _, reading, _, _ := begin()
	b.Adopt()
	*reading = observers.Reading{Position: "open", Reason: "first"}
	b.Observe(facts)
	*reading = observers.Reading{Position: "shut", Reason: "somebody\nREADY=0 " + strings.Repeat("ü", longestStatus), Grace: time.Hour}
	b.Observe(facts)
	status := b.Status()
	if strings.Contains(status, "\n") || len(status) > longestStatus+len("…") || !utf8.ValidString(status) {
		t.Errorf("the status is %q", status)
	}
	if !strings.Contains(status, "door open (in doubt: somebody READY=0 ü") {
		t.Errorf("the status says %q", status)
	}
}
