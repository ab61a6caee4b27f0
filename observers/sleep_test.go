package observers

import "testing"

func TestSleep(t *testing.T) {
	for _, test := range []struct {
		name     string
		facts    Facts
		position string
		urgent   bool
	}{
		{"awake", Facts{values: map[string]any{"PreparingForSleep": false}}, "awake", true},
		{"about to sleep", Facts{values: map[string]any{"PreparingForSleep": true}}, "asleep", true},
		{"away", Facts{Problem: "logind is not running"}, "awake", false},
	} {
		if got := sleep(policy(), Snapshot{logind: test.facts}); got.Position != test.position || got.Urgent != test.urgent {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}
