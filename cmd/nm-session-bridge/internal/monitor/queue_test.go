package monitor

import (
	"fmt"
	"slices"
	"testing"
)

func TestAReaderThatPausesGetsTheFirstChangesThenTheLatest(t *testing.T) {
	q := newQueue()
	const changes = 3 * mostWaiting
	for i := range changes {
		q.add(change{Switch: "lid", To: fmt.Sprint(i)})
		if i == mostWaiting+5 {
			q.add(change{Switch: "power", To: "ac"})
		}
		if kept := len(q.waiting) + len(q.latest); kept > mostWaiting+2 {
			t.Fatalf("%d changes are kept", kept)
		}
	}
	q.end()
	var written []change
	q.writeAll(t.Context(), func(c change) error {
		written = append(written, c)
		return nil
	})
	for i, c := range written[:mostWaiting] {
		if c.To != fmt.Sprint(i) {
			t.Fatalf("change %d is %+v", i, c)
		}
	}
	want := []change{
		{Omitted: changes - mostWaiting - 1},
		{Switch: "power", To: "ac"},
		{Switch: "lid", To: fmt.Sprint(changes - 1)},
	}
	if rest := written[mostWaiting:]; !slices.Equal(rest, want) {
		t.Errorf("then came %+v, not %+v", rest, want)
	}
}

func TestNothingIsOmittedThatStillCounts(t *testing.T) {
	q := newQueue()
	for i := range mostWaiting {
		q.add(change{Switch: "lid", To: fmt.Sprint(i)})
	}
	q.add(change{Switch: "power", To: "ac"})
	q.end()
	n := 0
	q.writeAll(t.Context(), func(c change) error {
		n++
		if c.Omitted > 0 {
			t.Errorf("%d are said to be omitted", c.Omitted)
		}
		return nil
	})
	if n != mostWaiting+1 {
		t.Errorf("%d changes were written", n)
	}
}
