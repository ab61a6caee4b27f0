package observers

import "testing"

func TestShutdown(t *testing.T) {
	for _, test := range []struct {
		name     string
		facts    Facts
		position string
		urgent   bool
	}{
		{"running", Facts{values: map[string]any{"PreparingForShutdown": false}}, "running", true},
		{"about to end", Facts{values: map[string]any{"PreparingForShutdown": true}}, "ending", true},
		{"about to sleep", Facts{values: map[string]any{"PreparingForShutdown": false, "PreparingForSleep": true}}, "running", true},
		{"away", Facts{Problem: "logind is not running"}, "running", false},
	} {
		if got := shutdown(policy(), Snapshot{logind: test.facts}); got.Position != test.position || got.Urgent != test.urgent {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}
