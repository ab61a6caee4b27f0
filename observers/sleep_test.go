package observers

import (
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

func TestSleep(t *testing.T) {
	for _, test := range []struct {
		name     string
		facts    Facts
		present  string
		position string
		urgent   bool
	}{
		{"awake", Facts{values: map[string]any{"PreparingForSleep": false}}, "awake", "awake", true},
		{"at first", Facts{values: map[string]any{"PreparingForSleep": false}}, Unknown, "awake", true},
		{"after a sleep", Facts{values: map[string]any{"PreparingForSleep": false}}, "asleep", "awake", true},
		{"long after a sleep", Facts{values: map[string]any{"PreparingForSleep": false}}, "woken", "woken", true},
		{"about to sleep", Facts{values: map[string]any{"PreparingForSleep": true}}, "awake", "asleep", true},
		{"about to sleep again", Facts{values: map[string]any{"PreparingForSleep": true}}, "woken", "asleep", true},
		{"away", Facts{Problem: "logind is not running"}, "awake", "awake", false},
		{"away after a sleep", Facts{Problem: "logind is not running"}, "woken", "woken", false},
	} {
		if got := sleep(policy())(Snapshot{logind: test.facts}, Present{Position: test.present}); got.Position != test.position || got.Urgent != test.urgent {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

func TestEachPrepareForSleepIsANewSleep(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	preparing := func(preparing bool) map[string]dbus.Variant {
		all := lidClosed(false)
		all["PreparingForSleep"] = dbus.MakeVariant(preparing)
		return all
	}
	bustest.Answer(w.called("Introspect"), 1, nil, silentLid)
	bustest.Answer(w.called("GetAll"), 2, nil, preparing(false))
	w.hears()
	prepare := func(sequence dbus.Sequence, start bool) Reading {
		w.signal(&dbus.Signal{Path: w.source.Root.Path, Name: w.source.Root.Interface + ".PrepareForSleep", Body: []any{start}, Sequence: sequence})
		bustest.Answer(w.called("GetAll"), sequence, nil, preparing(start))
		reading := sleep(policy())(Snapshot{logind: w.hears()}, Present{})
		for reading.Position == "awake" == start { // as it was before
			reading = sleep(policy())(Snapshot{logind: w.hears()}, Present{})
		}
		return reading
	}
	first := prepare(3, true)
	second := prepare(4, true) // and not a word of waking up
	awake := prepare(5, false)
	third := prepare(6, true)
	if first.Request == 0 || second.Request <= first.Request || third.Request <= second.Request || awake.Request != 0 {
		t.Errorf("requests %d, %d and %d; %d while awake", first.Request, second.Request, third.Request, awake.Request)
	}
}
