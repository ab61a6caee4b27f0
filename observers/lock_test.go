package observers

import (
	"slices"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

func sessionFacts(path dbus.ObjectPath, values map[string]any) Snapshot {
	return Snapshot{session: {Source: session, children: []Facts{{Path: path, values: values}}}}
}

func TestLock(t *testing.T) {
	type values = map[string]any
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
		{"no hint", sessionFacts("/1", nil), Unknown, unproven},
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
	if got := read(Snapshot{session: {Source: session}}); got.Position != Unknown || got.Grace != unproven || got.GraceOnlyFrom != AnyPosition {
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

// The test reads everything that can be read about the lock, in every order,
// with restarts of the bridge and a year in between.
func TestOnlyASignalOrAnotherSessionUnlocks(t *testing.T) {
	type values = map[string]any
	const restart = "the bridge is restarted"
	snapshots := map[string]Snapshot{
		restart:                  nil,
		"logind is away":         {session: {Source: session, Problem: "logind is not running"}},
		"no session":             {session: {Source: session}},
		"the hint is not told":   sessionFacts("/1", nil),
		"no hint":                sessionFacts("/1", values{"LockedHint": false}),
		"a hint":                 sessionFacts("/1", values{"LockedHint": true}),
		"Lock":                   sessionFacts("/1", values{"LockedHint": false, saidLast: true}),
		"Unlock":                 sessionFacts("/1", values{"LockedHint": true, saidLast: false}),
		"no hint of another":     sessionFacts("/2", values{"LockedHint": false}),
		"the hint of another":    sessionFacts("/2", values{"LockedHint": true}),
		"another without a hint": sessionFacts("/2", nil),
	}
	const steps = 4
	orders := [][]string{nil}
	for range steps {
		var longer [][]string
		for _, order := range orders {
			for name := range snapshots {
				longer = append(longer, append(slices.Clone(order), name))
			}
		}
		orders = longer
	}
	for _, order := range orders {
		now := time.Now()
		clock := func() time.Time { return now }
		read, damper := lock(Policy{}), NewDamper(clock)
		want, last := Unknown, dbus.ObjectPath("")
		for _, name := range order {
			snapshot := snapshots[name]
			if name == restart {
				read, damper, last = lock(Policy{}), NewDamper(clock), ""
				if want != Unknown {
					damper.Adopt(want)
				}
				continue
			}
			damper.Offer(read(snapshot))
			now = now.AddDate(1, 0, 0)
			damper.Take()

			facts := snapshot[session]
			if facts.Problem == "" && len(facts.Children()) == 0 && last == "" {
				last = "/"
			}
			if len(facts.Children()) > 0 {
				display := facts.Children()[0]
				isAnother := last != "" && last != display.Path
				last = display.Path
				hint, told := display.Bool("LockedHint")
				said, hasSaid := display.Bool(saidLast)
				switch {
				case hasSaid && said, !hasSaid && hint:
					want = "locked"
				case hasSaid, told && (isAnother || want == Unknown):
					want = "unlocked"
				}
			}
			if got, _ := damper.Present(); got != want {
				t.Fatalf("%q: after %s it is %q, not %q", order, name, got, want)
			}
		}
	}
}
