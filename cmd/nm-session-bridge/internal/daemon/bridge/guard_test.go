package bridge

import (
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// What is said while the switch is guarded waits for the user manager, in its order, and
// a flood of it makes no more than one question at a time.
func TestWhatMayComeOfACrashWaitsForTheManager(t *testing.T) {
	b, targets, reading, _, _ := begin()
	b.switches[0].Guarded = "shut"
	says := func(position string) {
		*reading = observers.Reading{Position: position}
		b.Observe(facts)
	}
	is := func(want string) {
		t.Helper()
		if got := b.switches[0].position; got != want {
			t.Errorf("the door is %q, not %q", got, want)
		}
	}
	says("open")
	is("open")
	says("shut")
	is("shut")
	if len(targets.asked) > 0 {
		t.Fatal("the manager was asked although nothing was guarded")
	}
	says("open")
	says("open")
	b.Believe()
	is("shut")
	if len(targets.asked) != 1 {
		t.Fatalf("the manager was asked %d times", len(targets.asked))
	}
	*reading = observers.Reading{Position: "shut"} // which the first of them says
	targets.asked[0]()
	b.Believe()
	is("shut")
	if len(targets.asked) != 2 {
		t.Fatalf("the manager was asked %d times, although the door was still shut", len(targets.asked))
	}
	*reading = observers.Reading{Position: "open"}
	targets.asked[1]()
	b.Believe()
	is("open")
	says("shut")
	is("shut")
}
