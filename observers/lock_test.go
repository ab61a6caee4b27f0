package observers

import (
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

func sessionFacts(path dbus.ObjectPath, values map[string]any) World {
	return World{session: {Source: session, children: []Facts{{Path: path, values: values}}}}
}

func TestLock(t *testing.T) {
	type values = map[string]any
	grace := policy().GoneGrace
	for _, test := range []struct {
		name     string
		world    World
		position string
		after    time.Duration
	}{
		{"the hint", sessionFacts("/1", values{"LockedHint": true}), "locked", 0},
		{"no hint is no proof", sessionFacts("/1", values{"LockedHint": false}), "unlocked", unproven},
		{"asked to lock", sessionFacts("/1", values{"LockedHint": false, saidLast: true}), "locked", 0},
		{"asked to unlock", sessionFacts("/1", values{"LockedHint": true, saidLast: false}), "unlocked", 0},
		{"no session", World{session: {Source: session}}, Unknown, grace},
		{"no hint", sessionFacts("/1", nil), Unknown, grace},
		{"away", World{session: {Problem: "logind is not running"}}, Unknown, unproven},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := lock(policy())(test.world)
			if got.Position != test.position || got.After != test.after {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAnotherSessionIsNotLockedBecauseTheLastOneWas(t *testing.T) {
	read := lock(policy())
	read(sessionFacts("/1", map[string]any{"LockedHint": true}))
	read(World{session: {Source: session}})
	if got := read(sessionFacts("/2", map[string]any{"LockedHint": false})); got.Position != "unlocked" || got.After != 0 {
		t.Errorf("got %+v", got)
	}
	// logind's restart keeps its sessions.
	if got := read(sessionFacts("/2", map[string]any{"LockedHint": false})); got.Doubts != "locked" || got.After != unproven {
		t.Errorf("got %+v", got)
	}
}
