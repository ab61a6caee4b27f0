package bridge

import (
	"errors"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

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
