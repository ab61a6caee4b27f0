package observers

import (
	"testing"
	"time"
)

// step is one moment of a damped switch: a reading that arrives, if any, and the
// position that counts once everything due has been taken.
type step struct {
	at      time.Duration
	reading *Reading
	want    string
}

func at(t time.Duration, position string, want string) step {
	return step{t, &Reading{Position: position}, want}
}

func hold(t time.Duration, after time.Duration, position, doubts, want string) step {
	return step{t, &Reading{Position: position, Grace: after, GraceOnlyFrom: doubts, Reason: t.String()}, want}
}

func quiet(t time.Duration, want string) step { return step{t, nil, want} }

func TestDamper(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	for _, test := range []struct {
		name  string
		adopt string
		steps []step
	}{
		{"the first reading counts at once", "", []step{at(0, "online", "online")}},
		{"changes count at once", "", []step{
			at(0, "online", "online"), at(1*s, "offline", "offline"), at(2*s, "online", "online"),
		}},
		{"a doubt ends with its grace", "", []step{
			at(0, "online", "online"),
			hold(1*s, 5*s, "offline", "online", "online"), quiet(5999*ms, "online"), quiet(6*s, "offline"),
		}},
		{"a doubt that is dispelled leaves no trace", "", []step{
			at(0, "online", "online"),
			hold(1*s, 5*s, "offline", "online", "online"), at(5*s, "online", "online"), quiet(20*s, "online"),
		}},
		{"a doubt protects only the position that it names", "", []step{
			at(0, "portal", "portal"), hold(1*s, 5*s, "offline", "online", "offline"),
		}},
		{"a doubt before anything is known counts at once", "", []step{
			hold(0, 5*s, "offline", "online", "offline"),
		}},
		{"a doubt puts an adopted position in doubt", "online", []step{
			hold(0, 5*s, "offline", "online", "online"), quiet(5*s, "offline"),
		}},
		{"a doubt of any position protects whatever is known", "online", []step{
			hold(0, 5*s, Unknown, AnyPosition, "online"), at(1*s, "offline", "offline"),
			hold(2*s, 5*s, Unknown, AnyPosition, "offline"), quiet(7*s, Unknown),
		}},
		{"a doubt of any position before one is known counts at once", "", []step{
			hold(0, 5*s, "offline", AnyPosition, "offline"),
		}},
		{"a fact ends a doubt", "", []step{
			at(0, "online", "online"), hold(1*s, 5*s, "offline", "online", "online"), at(2*s, "offline", "offline"),
		}},
		{"each doubt waits again, but not for ever", "", []step{
			at(0, "online", "online"),
			hold(1*s, 4*s, "offline", "online", "online"),
			hold(4*s, 4*s, "offline", "online", "online"),
			hold(7*s, 4*s, "offline", "online", "online"),
			hold(10*s, 4*s, "offline", "online", "online"),
			quiet(12900*ms, "online"), quiet(13*s, "offline"), // three times four seconds after the first one
		}},
		{"a service that is away waits once, whatever happens meanwhile", "", []step{
			at(0, "online", "online"),
			hold(1*s, 10*s, "offline", "", "online"), hold(4*s, 10*s, "offline", "", "online"),
			hold(9*s, 10*s, "offline", "", "online"), quiet(10900*ms, "online"), quiet(11*s, "offline"),
		}},
		{"doubts that come to nothing are no storm", "", []step{
			at(0, "online", "online"),
			hold(1*s, 5*s, "offline", "online", "online"), at(2*s, "online", "online"),
			hold(3*s, 5*s, "offline", "online", "online"), at(4*s, "online", "online"),
			hold(5*s, 5*s, "offline", "online", "online"), at(6*s, "online", "online"),
			at(7*s, "offline", "offline"),
		}},
		{"a service that is away at the start waits, too", "", []step{
			hold(0, 10*s, "offline", "", Unknown), quiet(9*s, Unknown), quiet(10*s, "offline"),
		}},
		{"a storm is held until it is still", "", []step{
			at(0, "a", "a"), at(100*ms, "b", "b"), at(200*ms, "a", "a"), at(300*ms, "b", "b"),
			at(400*ms, "a", "b"), at(500*ms, "c", "b"), quiet(2499*ms, "b"), quiet(2500*ms, "c"),
		}},
		{"a storm that does not end is let through every ten seconds", "", stormSteps()},
		{"an urgent reading is not held in a storm", "", []step{
			at(0, "a", "a"), at(100*ms, "b", "b"), at(200*ms, "a", "a"), at(300*ms, "b", "b"), at(400*ms, "a", "b"),
			{500 * ms, &Reading{Position: "c", Urgent: true}, "c"},
			{600 * ms, &Reading{Position: "a", Urgent: true}, "a"},
		}},
		{"after a storm changes count at once again", "", []step{
			at(0, "a", "a"), at(100*ms, "b", "b"), at(200*ms, "a", "a"), at(300*ms, "b", "b"), at(400*ms, "a", "b"),
			quiet(2400*ms, "a"), at(20*s, "b", "b"),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			now := start
			d := NewDamper(func() time.Time { return now })
			if test.adopt != "" {
				d.Adopt(test.adopt)
			}
			for _, step := range test.steps {
				now = start.Add(step.at)
				if step.reading != nil {
					d.Offer(*step.reading)
				}
				d.Take()
				if got, _ := d.Present(); got != step.want {
					t.Fatalf("at %v: position %q, want %q", step.at, got, step.want)
				}
			}
		})
	}
}

// stormSteps flaps every 0.4 s. The fourth change, at 1.6 s, is held; the reading
// ten seconds later is let through.
func stormSteps() []step {
	steps := []step{at(0, "a", "a")}
	for i := 1; i <= 28; i++ {
		position, want := "a", "b"
		if i%2 == 1 {
			position = "b"
		}
		if i <= 3 {
			want = position
		}
		steps = append(steps, at(time.Duration(i)*400*time.Millisecond, position, want))
	}
	return append(steps, quiet(11500*time.Millisecond, "b"), quiet(11600*time.Millisecond, "a"))
}

func TestDamperKnowsWhenItIsDue(t *testing.T) {
	now := time.Now()
	d := NewDamper(func() time.Time { return now })
	if _, waiting := d.Due(); waiting {
		t.Error("nothing was said, yet something is due")
	}
	d.Offer(Reading{Position: "offline", Grace: time.Second})
	due, waiting := d.Due()
	if !waiting || !due.Equal(now.Add(time.Second)) {
		t.Errorf("due at %v (%t), want one second after the reading", due.Sub(now), waiting)
	}
	now = due
	d.Take()
	if _, waiting := d.Due(); waiting {
		t.Error("still due after it was taken")
	}
}

// A NetworkManager that was away for seven seconds has not checked connectivity
// when it comes back. That is no reason to be offline at once.
func TestAGraceWithinAGraceEndsWithTheFirst(t *testing.T) {
	start := time.Now()
	now := start
	d := NewDamper(func() time.Time { return now })
	d.Adopt("online")
	d.Offer(Reading{Position: "offline", Reason: "away", Grace: 10 * time.Second})
	now = start.Add(7 * time.Second)
	d.Offer(Reading{Position: "offline", Reason: "checking", Grace: 5 * time.Second})
	if due, _ := d.Due(); !due.Equal(start.Add(10 * time.Second)) {
		t.Errorf("due after %v", due.Sub(start))
	}
	now = start.Add(8 * time.Second)
	d.Offer(Reading{Position: "offline", Reason: "no network"})
	if due, _ := d.Due(); due.After(now) {
		t.Errorf("certain, yet due after %v", due.Sub(start))
	}
}

func TestAnAdoptedPositionIsNotInDoubt(t *testing.T) {
	d := NewDamper(time.Now)
	d.Adopt("locked")
	d.Offer(Reading{Position: "unlocked", Grace: time.Hour, GraceOnlyFrom: "locked"})
	d.Adopt("unlocked")
	if d.Pending() != nil {
		t.Error("what is so already waits to be")
	}
}

func TestADoubtIsDecidedOnceThePositionHasBeenLeftAnyway(t *testing.T) {
	for _, test := range []struct {
		position, doubts string
		isDue            bool
	}{
		{"offline", "online", true},
		{"offline", "portal", true}, // which is not the present one, so it did not wait
		{"offline", AnyPosition, true},
		{Unknown, AnyPosition, false}, // silence decides nothing
		{"offline", "", false},        // the service is away
	} {
		d := NewDamper(time.Now)
		d.Adopt("online")
		d.Offer(Reading{Position: test.position, Grace: time.Hour, GraceOnlyFrom: test.doubts})
		d.Decide()
		if _, isTaken := d.Take(); isTaken != test.isDue {
			t.Errorf("%+v: taken %t", test, isTaken)
		}
	}
}
