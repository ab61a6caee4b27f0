package observers

import (
	"slices"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

func sessionFacts(path dbus.ObjectPath, values map[string]any) World {
	return World{session: {Source: session, children: []Facts{{Path: path, values: values}}}}
}

func TestLock(t *testing.T) {
	type values = map[string]any
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
		{"no session yet", World{session: {Source: session}}, Unknown, unproven},
		{"no hint", sessionFacts("/1", nil), Unknown, unproven},
		{"away", World{session: {Problem: "logind is not running"}}, Unknown, unproven},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := lock()(test.world)
			if got.Position != test.position || got.After != test.after {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAnotherSessionIsNotLockedBecauseTheLastOneWas(t *testing.T) {
	read := lock()
	read(sessionFacts("/1", map[string]any{"LockedHint": true}))
	if got := read(World{session: {Source: session}}); got.Position != Unknown || got.After != unproven || got.Doubts != Any {
		t.Errorf("of the session that has ended, got %+v", got)
	}
	if got := read(sessionFacts("/2", map[string]any{"LockedHint": false})); got.Position != "unlocked" || got.After != 0 {
		t.Errorf("got %+v", got)
	}
	// logind's restart keeps its sessions.
	if got := read(sessionFacts("/2", map[string]any{"LockedHint": false})); got.Doubts != "locked" || got.After != unproven {
		t.Errorf("got %+v", got)
	}
}

func TestTheFirstSessionIsNotLockedBecauseTheUserWithoutOneWas(t *testing.T) {
	read := lock()
	none, first := World{session: {Source: session}}, sessionFacts("/1", map[string]any{"LockedHint": false})
	read(none)
	if got := read(first); got.Position != "unlocked" || got.After != 0 {
		t.Errorf("got %+v", got)
	}
	read(none)
	if got := read(first); got.Doubts != "locked" {
		t.Errorf("of the same session, which has come back, got %+v", got)
	}
}

// display is a user's Display, which is / without a session.
func display(path dbus.ObjectPath) map[string]dbus.Variant {
	type pair struct {
		ID   string
		Path dbus.ObjectPath
	}
	// As it comes over the bus, where a structure is a list.
	return map[string]dbus.Variant{"Display": dbus.MakeVariantWithSignature([]any{"3", path}, dbus.SignatureOf(pair{}))}
}

func TestADisplayThatIsSignalledIsRead(t *testing.T) {
	w := observe(t, Session())
	w.owner(":1.1")
	answer(w.called("GetAll"), 1, nil, display("/session/_33"))
	answer(w.called("GetAll"), 2, nil, map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(true)})
	if facts := w.hears(); len(facts.Children()) != 1 {
		t.Fatalf("heard %+v", facts)
	}
	w.changed(3, display("/session/_33")) // the session has ended
	answer(w.called("GetAll"), 4, nil, display("/"))
	if facts := w.hears(); facts.Problem != "" || len(facts.Children()) != 0 {
		t.Errorf("heard %+v", facts)
	}
}

func TestAUserThatLogindDoesNotKnowHasNoSession(t *testing.T) {
	unknown := dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownObject"}
	w := observe(t, Session())
	w.owner(":1.1")
	for range 5 { // as long as logind may only be starting
		answer(w.called("GetAll"), 1, unknown)
	}
	if facts := w.hears(); facts.Problem != "" || len(facts.Children()) != 0 {
		t.Errorf("heard %+v", facts)
	}
	if w.log.Len() > 0 {
		t.Errorf("logged %s", w.log)
	}
	w.changed(2, display("/session/_33")) // a login
	answer(w.called("GetAll"), 3, nil, display("/session/_33"))
	answer(w.called("GetAll"), 4, nil, map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(false)})
	if facts := w.hears(); len(facts.Children()) != 1 {
		t.Errorf("heard %+v", facts)
	}
}

func TestALockThatIsAskedForAgainIsARequest(t *testing.T) {
	w := observe(t, Session())
	w.owner(":1.1")
	answer(w.called("GetAll"), 1, nil, display("/session/_33"))
	answer(w.called("GetAll"), 2, nil, map[string]dbus.Variant{"LockedHint": dbus.MakeVariant(false)})
	w.hears()
	var last dbus.Sequence
	for sequence, test := range []struct {
		member  string
		request bool
	}{{"Lock", true}, {"Lock", true}, {"Unlock", false}, {"Lock", true}} {
		w.signal(&dbus.Signal{Sender: ":1.1", Path: "/session/_33", Name: logindName + ".Session." + test.member, Sequence: dbus.Sequence(sequence + 3)})
		got := lock()(World{session: w.hears()})
		if isNew := got.Request > last; isNew != test.request || (got.Position == "locked") != test.request {
			t.Errorf("%s makes %+v after %d", test.member, got, last)
		}
		last = got.Request
	}
}

// Everything that can be read of the lock, in every order, with restarts of the
// bridge and a year between.
func TestOnlyASignalOrAnotherSessionUnlocks(t *testing.T) {
	type values = map[string]any
	const restart = "the bridge is restarted"
	worlds := map[string]World{
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
			for name := range worlds {
				longer = append(longer, append(slices.Clone(order), name))
			}
		}
		orders = longer
	}
	for _, order := range orders {
		read, damper, now := lock(), &Damper{}, time.Now()
		want, last := Unknown, dbus.ObjectPath("")
		for _, name := range order {
			world := worlds[name]
			if name == restart {
				read, damper, last = lock(), &Damper{}, ""
				if want != Unknown {
					damper.Adopt(want)
				}
				continue
			}
			damper.Offer(now, read(world))
			now = now.AddDate(1, 0, 0)
			damper.Take(now)

			facts := world[session]
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
