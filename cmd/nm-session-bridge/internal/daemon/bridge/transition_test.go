package bridge

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

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

func TestWhateverEndsAnOperationMakesUnusedTargetsOfOthersLookedFor(t *testing.T) {
	for name, ends := range map[string]func(*Bridge, *observers.Reading) error{
		"the facts": func(b *Bridge, reading *observers.Reading) error {
			*reading = observers.Reading{Position: "open"}
			b.Observe(facts)
			return nil
		},
		"a hand": func(b *Bridge, _ *observers.Reading) error {
			_, err := b.Hold("door", "open")
			return err
		},
		"a hand that lets go": func(b *Bridge, reading *observers.Reading) error {
			_, holding := b.Hold("door", "shut")
			*reading = observers.Reading{Position: "open"}
			b.Observe(facts)
			_, releasing := b.Release("door")
			return errors.Join(holding, releasing)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, targets, reading, _, _ := begin()
			b.switches[0].Delays, b.switches[0].During, b.switches[0].StartAgain = "slam", "shut", []string{"lamp.target"}
			*reading = observers.Reading{Position: "shut"}
			b.Observe(facts)
			if len(targets.unused) > 0 {
				t.Fatalf("looked for %v too early", targets.unused)
			}
			if err := ends(b, reading); err != nil || !slices.Equal(targets.unused, []string{"lamp.target"}) {
				t.Errorf("looked for %v, %v", targets.unused, err)
			}
		})
	}
}
