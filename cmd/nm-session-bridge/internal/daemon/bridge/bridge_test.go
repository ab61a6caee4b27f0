package bridge

import (
	"bytes"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// targets remembers what is wanted. The test sets the state of the targets.
type targets struct {
	wanted  map[string]bool
	active  []string
	pending bool
	problem string
	again   int
	unused  []string // what was looked for
	crashed []string // whose services have
	asked   []func() // what waits for an answer
}

func (t *targets) StartAgain(targets []string) {
	if slices.Equal(targets, []string{"open.target"}) {
		t.again++
	}
}

func (t *targets) Want(wanted map[string]bool) { maps.Copy(t.wanted, wanted) }

func (t *targets) FindUnused(targets []string) { t.unused = append(t.unused, targets...) }

func (t *targets) Crashed(targets []string) string {
	if slices.Equal(targets, t.crashed) {
		return "door.service"
	}
	return ""
}

func (t *targets) AwaitAnswer(done func()) { t.asked = append(t.asked, done) }

func (t *targets) Active() []string { return t.active }

func (t *targets) Progress(map[string]bool) (bool, string) { return t.pending, t.problem }

// sources remembers what was asked of it.
type sources struct {
	demands []observers.Need
}

func (s *sources) Demand(_ string, need observers.Need) { s.demands = append(s.demands, need) }

// door is a switch whose reading the test sets.
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

// fakeClock is a clock that the test sets.
type fakeClock struct{ time.Time }

func newClock() *fakeClock { return &fakeClock{time.Now()} }

func (c *fakeClock) now() time.Time { return c.Time }

func (c *fakeClock) pass(d time.Duration) { c.Time = c.Add(d) }

func begin() (*Bridge, *targets, *observers.Reading, *bytes.Buffer, *fakeClock) {
	t, clock := &targets{wanted: map[string]bool{}}, newClock()
	var log bytes.Buffer
	reading := &observers.Reading{}
	b := New(observers.Switches{door(reading)}, observers.Policy{}, t, t, t, &sources{}, clock.now, slog.New(slog.NewTextHandler(&log, nil)))
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

func TestASwitchFollowsTargetsThatSomethingElseMoves(t *testing.T) {
	for _, test := range []struct {
		yields bool
		active []string
		want   string
	}{
		{true, []string{"shut.target"}, "shut"},
		{true, nil, "open"}, // no position's targets
		{false, []string{"shut.target"}, "open"},
	} {
		b, targets, reading, _, _ := begin()
		b.switches[0].Yields = test.yields
		*reading = observers.Reading{Position: "open"}
		b.Observe(facts)
		targets.active = test.active
		change := b.Moved(systemdctl.Moved{Yielding: true})
		got, moved := b.View().Positions["door"], test.want != "open"
		if got != test.want || change.View != moved || (len(change.Entered) == 1) != moved {
			t.Errorf("%+v: it is %s after %+v", test, got, change)
		}
	}
}

func TestASwitchThatIsHeldMovesItsTargetsBack(t *testing.T) {
	b, targets, _, _, _ := begin()
	b.switches[0].Yields = true
	if _, err := b.Hold("door", "open"); err != nil {
		t.Fatal(err)
	}
	clear(targets.wanted)
	targets.active = []string{"shut.target"}
	if change := b.Moved(systemdctl.Moved{Yielding: true}); len(change.Entered) > 0 || !targets.wanted["open.target"] {
		t.Errorf("wanted %v after %+v", targets.wanted, change)
	}
}

func TestAStrayIsStoppedOnceItIsKnownWhatIsWanted(t *testing.T) {
	b, targets, reading, log, _ := begin()
	b.switches[0].Positions, b.switches[0].Template = nil, observers.Template{Prefix: "door@", Suffix: ".target"}
	strays := systemdctl.Moved{Strays: []string{"door@back.target", "door@front.target", "other@back.target"}}
	b.Moved(strays)
	if len(targets.wanted) > 0 {
		t.Fatalf("wanted %v before anything was read", targets.wanted)
	}
	*reading = observers.Reading{Position: "front"}
	b.Observe(facts)
	clear(targets.wanted)
	b.Moved(strays)
	want := map[string]bool{"door@back.target": false}
	if !maps.Equal(targets.wanted, want) || strings.Count(log.String(), "something else has started door@back.target") != 1 {
		t.Errorf("wanted %v, logged %s", targets.wanted, log)
	}
}

func TestAReaderIsToldOfACrashAndWhatItIgnoresIsLogged(t *testing.T) {
	b, targets, reading, log, _ := begin()
	*reading = observers.Reading{Position: "shut"}
	b.Observe(facts)
	var told observers.Present
	b.switches[0].reader = func(_ observers.Snapshot, present observers.Present) observers.Reading {
		told = present
		return observers.Reading{Position: present.Position, Ignored: "a draught counts for nothing"}
	}
	targets.crashed = []string{"shut.target"}
	b.Observe(facts)
	if told.Crashed != "door.service" || told.Position != "shut" || !strings.Contains(log.String(), "the door stays shut: a draught counts for nothing") {
		t.Errorf("told %+v, logged %s", told, log)
	}
	targets.crashed = []string{"open.target"}
	if b.Observe(facts); told.Crashed != "" {
		t.Error("told of a crash in another position")
	}
}
