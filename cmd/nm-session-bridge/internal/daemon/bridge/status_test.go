package bridge

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func TestAnUnknownPositionHasAReason(t *testing.T) {
	b, targets, reading, _, _ := begin()
	*reading = observers.Reading{Reason: "no latch"}
	b.Observe(facts)
	if got, want := b.Status(), "door unknown (no latch)"; got != want {
		t.Errorf("status %q, want %q", got, want)
	}
	if got := b.View().Facts["door.reason"]; got != "no latch" {
		t.Errorf("the view gives the reason %q", got)
	}
	if targets.wanted["open.target"] || targets.wanted["shut.target"] || len(targets.wanted) != 2 {
		t.Errorf("wanted %v", targets.wanted)
	}
}

func TestAPositionTakesItsReasonFromTheLatestReadingOfIt(t *testing.T) {
	b, targets, reading, _, _ := begin()
	targets.active = []string{"shut.target"}
	b.Adopt()
	for _, step := range []struct {
		reading observers.Reading
		want    string
	}{
		{observers.Reading{Position: "shut", Reason: "Latch=true"}, "Latch=true"},
		{observers.Reading{Position: "open", Reason: "Latch=?", Grace: time.Second, GraceOnlyFrom: "shut"}, "Latch=true"},
		{observers.Reading{Position: "open", Reason: "Latch=false"}, "Latch=false"},
		{observers.Reading{Position: "open", Reason: "Latch=0"}, "Latch=0"},
	} {
		*reading = step.reading
		b.Observe(facts)
		if got := b.View().Facts["door.reason"]; got != step.want {
			t.Errorf("%+v: the reason is %q", step, got)
		}
	}
}

func TestTheStatusIsOneShortLine(t *testing.T) {
	b, _, reading, _, _ := begin()
	b.Adopt()
	*reading = observers.Reading{Position: "open", Reason: "first"}
	b.Observe(facts)
	*reading = observers.Reading{Position: "shut", Reason: "somebody\nREADY=0 " + strings.Repeat("ü", longestStatus), Grace: time.Hour}
	b.Observe(facts)
	status := b.Status()
	if strings.Contains(status, "\n") || len(status) > longestStatus+len("…") || !utf8.ValidString(status) {
		t.Errorf("the status is %q", status)
	}
	if !strings.Contains(status, "door open (in doubt: somebody READY=0 ü") {
		t.Errorf("the status says %q", status)
	}
}
