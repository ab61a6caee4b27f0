package observers

import (
	"testing"
	"time"
)

func TestASetIsDampedWordByWord(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	away := func(gone ...string) *Reading { return &Reading{Grace: 10 * s, Reason: "away", Gone: gone} }
	starting := func(position string, gone ...string) *Reading {
		return &Reading{Position: position, Grace: 10 * s, Reason: "starting", Gone: gone}
	}
	var flaps []step
	for i := range 12 {
		position, want := "br home", "br home"
		if i%2 == 1 {
			position = "home"
			want = "home"
		}
		if i > 3 {
			want = "home" // as it was at the third change
		}
		flaps = append(flaps, at(time.Duration(i)*700*ms, position, want))
	}
	for _, test := range []struct {
		name  string
		adopt string
		steps []step
	}{
		{"words come and go at once", "", []step{at(0, "a", "a"), at(1*s, "a b", "a b"), at(2*s, "b", "b"), at(3*s, None, None)}},
		{"one that flaps does not keep others waiting", "", append(flaps,
			at(8*s, "eth br", "eth"), at(8100*ms, "eth", "eth"), at(8200*ms, "br home", "home"), quiet(10200*ms, "br home"))},
		{"a service that is away keeps all words but those that end with it", "", []step{
			at(0, "home office", "home office"),
			{1 * s, away("office"), "home"},
			quiet(10900*ms, "home"), quiet(11*s, Unknown),
			at(20*s, "home", "home"),
		}},
		{"a starting service keeps what it has not had up", "docker home", []step{
			{0, starting(None), "docker home"},
			{1 * s, starting("docker", "docker"), "docker home"},
			{2 * s, starting("lan", "docker", "lan"), "home lan"},
			{3 * s, starting(None, "docker", "lan"), "home"},
			quiet(9900*ms, "home"), quiet(10*s, None),
		}},
		{"a starting service without anything to keep", "", []step{{0, starting(None), None}, {1 * s, starting("a"), "a"}}},
		{"a service that is away at the start", "", []step{{0, away(), Unknown}, at(2*s, "a", "a")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			now := start
			d := Switch{Template: byConnection()}.Damping(func() time.Time { return now })
			if test.adopt != "" {
				d.Adopt(test.adopt)
			}
			for _, step := range test.steps {
				now = start.Add(step.at)
				if step.reading != nil {
					d.Offer(*step.reading)
				}
				before, wasKnown := d.Present()
				taken, moved := d.Take()
				got, known := d.Present()
				if got != step.want {
					t.Fatalf("at %v: position %q, want %q", step.at, got, step.want)
				}
				if moved != (known && (!wasKnown || got != before)) || moved && taken.Position != got {
					t.Errorf("at %v: took %+v (%t)", step.at, taken, moved)
				}
				if due, waiting := d.Due(); waiting && !due.After(now) {
					t.Errorf("at %v: due %v ago", step.at, now.Sub(due))
				}
			}
			if len(d.words) > 4 {
				t.Errorf("%d words are remembered", len(d.words))
			}
		})
	}
}

func TestASetForgetsWordsThatHaveBeenGoneForLong(t *testing.T) {
	now := time.Now()
	d := Switch{Template: byConnection()}.Damping(func() time.Time { return now })
	for _, position := range []string{"a", "b", "c", "d", "e"} {
		now = now.Add(stormWindow)
		d.Offer(Reading{Position: position})
		d.Take()
	}
	if len(d.words) > 3 {
		t.Errorf("%d words are remembered", len(d.words))
	}
}
