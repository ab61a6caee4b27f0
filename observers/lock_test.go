package observers

import (
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

func sessionFacts(path dbus.ObjectPath, values map[string]any) Snapshot {
	return Snapshot{session: {Source: session, children: []Facts{{Path: path, values: values}}}}
}

func TestLock(t *testing.T) {
	type values = map[string]any
	grace := policy().GoneGrace
	for _, test := range []struct {
		name     string
		snapshot Snapshot
		position string
		after    time.Duration
	}{
		{"the hint", sessionFacts("/1", values{"LockedHint": true}), "locked", 0},
		{"a false hint proves nothing", sessionFacts("/1", values{"LockedHint": false}), "unlocked", unproven},
		{"asked to lock", sessionFacts("/1", values{"LockedHint": false, saidLast: true}), "locked", 0},
		{"asked to unlock", sessionFacts("/1", values{"LockedHint": true, saidLast: false}), "unlocked", 0},
		{"no session yet", Snapshot{session: {Source: session}}, Unknown, unproven},
		{"no hint", sessionFacts("/1", nil), Unknown, grace},
		{"away", Snapshot{session: {Problem: "logind is not running"}}, Unknown, unproven},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := lock(policy())(test.snapshot)
			if got.Position != test.position || got.Grace != test.after {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAnotherSessionDoesNotInheritTheLock(t *testing.T) {
	read := lock(policy())
	read(sessionFacts("/1", map[string]any{"LockedHint": true}))
	if got := read(Snapshot{session: {Source: session}}); got.Position != Unknown || got.Grace != policy().GoneGrace || got.GraceOnlyFrom != "" {
		t.Errorf("of the session that has ended, got %+v", got)
	}
	if got := read(sessionFacts("/2", map[string]any{"LockedHint": false})); got.Position != "unlocked" || got.Grace != 0 {
		t.Errorf("got %+v", got)
	}
	// Sessions outlive a restart of logind.
	if got := read(sessionFacts("/2", map[string]any{"LockedHint": false})); got.GraceOnlyFrom != "locked" || got.Grace != unproven {
		t.Errorf("got %+v", got)
	}
}

func TestTheFirstSessionDoesNotInheritTheLock(t *testing.T) {
	read := lock(policy())
	none, first := Snapshot{session: {Source: session}}, sessionFacts("/1", map[string]any{"LockedHint": false})
	read(none)
	if got := read(first); got.Position != "unlocked" || got.Grace != 0 {
		t.Errorf("got %+v", got)
	}
	read(none)
	if got := read(first); got.GraceOnlyFrom != "locked" {
		t.Errorf("of the same session, which has come back, got %+v", got)
	}
}
