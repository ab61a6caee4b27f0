package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
)

// at returns a time on Monday, 2 November 2026.
func at(clock string) time.Time {
	t, err := time.Parse(time.DateTime, "2026-11-02 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func switches() []Switch {
	return []Switch{
		{Name: "internet", Positions: []string{"online", "offline", "portal"}},
		{Name: "lid", Positions: []string{"open", "closed"}},
		{Name: "sleep", Positions: []string{"awake", "asleep"}, Suspends: "asleep"},
	}
}

func observing(clock, internet, lid, sleep string) Event {
	return Event{Time: at(clock), Positions: map[string]string{"internet": internet, "lid": lid, "sleep": sleep}}
}

func moved(clock, name, from, to, reason string) Event {
	t := Transition{Time: at(clock), Switch: name, From: from, To: to, Reason: reason}
	return Event{Time: t.Time, Positions: map[string]string{name: to}, Transition: &t}
}

func ended(clock string) Event { return Event{Time: at(clock), Ended: true} }

func slept(clock string, d time.Duration) Event { return Event{Time: at(clock), Slept: d} }

func TestSpans(t *testing.T) {
	for name, test := range map[string]struct {
		events []Event
		want   string // of internet and sleep
	}{
		"nothing": {nil, "|"},
		"a transition": {
			[]Event{observing("10:00:00", "online", "open", "awake"), moved("11:00:00", "internet", "online", "offline", "")},
			"online 10:00-11:00 offline 11:00-18:00|awake 10:00-18:00",
		},
		"a start before its positions are read": {
			[]Event{observing("10:00:00", "unknown", "open", "awake"), moved("11:00:00", "internet", "unknown", "online", "")},
			"online 11:00-18:00|awake 10:00-18:00",
		},
		"the window cuts": {
			[]Event{observing("05:00:00", "online", "open", "awake"), moved("19:00:00", "internet", "online", "offline", "")},
			"online 08:00-18:00|awake 08:00-18:00",
		},
		"before the window": {
			[]Event{observing("05:00:00", "online", "open", "awake"), moved("06:00:00", "internet", "online", "offline", ""), ended("07:00:00")},
			"|",
		},
		"a restart": {
			[]Event{observing("10:00:00", "online", "open", "awake"), ended("11:00:00"), observing("12:00:00", "online", "open", "awake"), ended("13:00:00")},
			"online 10:00-11:00 online 12:00-13:00|awake 10:00-11:00 awake 12:00-13:00",
		},
		"the same position again": {
			[]Event{observing("10:00:00", "online", "open", "awake"), observing("11:00:00", "online", "open", "awake")},
			"online 10:00-18:00|awake 10:00-18:00",
		},
		"asleep": {
			[]Event{
				observing("10:00:00", "online", "open", "awake"), moved("11:00:00", "sleep", "awake", "asleep", ""),
				moved("11:30:00", "internet", "online", "offline", ""),
				slept("12:00:00", 50*time.Minute), moved("12:00:00", "sleep", "asleep", "awake", ""),
			},
			"online 10:00-11:00 offline 12:00-18:00|awake 10:00-11:00 asleep 11:00-12:00 awake 12:00-18:00",
		},
		"held asleep, and asleep meanwhile": {
			[]Event{
				observing("10:00:00", "online", "open", "awake"), moved("11:00:00", "sleep", "awake", "asleep", client.HeldByHand),
				moved("11:30:00", "internet", "online", "offline", ""), slept("13:00:00", time.Hour),
			},
			"online 10:00-11:30 offline 11:30-12:00 offline 13:00-18:00|awake 10:00-11:00 asleep 11:00-18:00",
		},
		"held asleep by a bridge that starts anew": {
			[]Event{observing("10:00:00", "online", "open", "asleep")},
			"online 10:00-18:00|asleep 10:00-18:00",
		},
		"asleep, and told of it only later": {
			[]Event{
				observing("10:00:00", "online", "open", "awake"), slept("12:00:00", time.Hour),
				moved("11:59:59", "sleep", "awake", "asleep", ""), moved("12:00:00", "sleep", "asleep", "awake", ""),
			},
			"online 10:00-11:00 online 12:00-18:00|awake 10:00-11:00 awake 12:00-18:00",
		},
		"the clock set back": {
			[]Event{
				observing("10:00:00", "online", "open", "awake"), moved("12:00:00", "internet", "online", "offline", ""),
				moved("11:00:00", "internet", "offline", "online", ""), moved("13:00:00", "internet", "online", "portal", ""),
			},
			"online 10:00-12:00 online 12:00-13:00 portal 13:00-18:00|awake 10:00-18:00",
		},
		"the clock set back while nothing ran": {
			[]Event{observing("10:00:00", "online", "open", "awake"), ended("12:00:00"), observing("11:00:00", "offline", "open", "awake")},
			"online 10:00-12:00 offline 12:00-18:00|awake 10:00-12:00 awake 12:00-18:00",
		},
	} {
		h := Build(test.events, switches(), Window{at("08:00:00"), at("18:00:00")})
		var rows []string
		for _, row := range []Row{h.Rows[0], h.Rows[2]} {
			var spans []string
			for _, s := range row.Spans {
				spans = append(spans, s.Position+" "+s.Since.Format("15:04")+"-"+s.Until.Format("15:04"))
			}
			rows = append(rows, strings.Join(spans, " "))
		}
		if got := strings.Join(rows, "|"); got != test.want {
			t.Errorf("%s:\n%s\nnot\n%s", name, got, test.want)
		}
		if h.IsEmpty() != (test.want == "|") {
			t.Errorf("%s: empty is %v", name, h.IsEmpty())
		}
	}
}

func TestTransitionsAreThoseOfTheWindow(t *testing.T) {
	events := []Event{
		moved("07:59:59", "internet", "unknown", "online", "early"), moved("09:00:00", "internet", "online", "offline", "now"),
		moved("10:00:00", "lid", "open", "closed", "also"), moved("18:00:01", "internet", "offline", "online", "late"),
	}
	h := Build(events, switches(), Window{at("08:00:00"), at("18:00:00")})
	if len(h.Transitions) != 2 || h.Transitions[0].Reason != "now" || h.Transitions[1].Reason != "also" {
		t.Errorf("%v", h.Transitions)
	}
	if h = h.Of("lid"); len(h.Transitions) != 1 || h.Transitions[0].Reason != "also" || len(h.Rows) != 1 || h.Rows[0].Name != "lid" {
		t.Errorf("%v", h)
	}
}

func TestPositionsOfAnOpenSwitchAreThoseThatOccurred(t *testing.T) {
	connection := Switch{Name: "connection", Positions: []string{"none"}, Open: true}
	events := []Event{
		{Time: at("10:00:00"), Positions: map[string]string{"connection": "none"}},
		moved("11:00:00", "connection", "none", "home", ""), moved("12:00:00", "connection", "home", "home office", ""),
		moved("13:00:00", "connection", "home office", "home", ""), moved("14:00:00", "connection", "home", "none", ""),
	}
	h := Build(events, []Switch{connection, {Name: "vpn", Positions: []string{"up"}}}, Window{at("08:00:00"), at("18:00:00")})
	if got := strings.Join(h.Rows[0].Positions, ","); got != "home,home office,none" {
		t.Errorf("the positions are %s", got)
	}
	if known := h.Known(); len(known.Rows) != 1 || known.Rows[0].Name != "connection" || len(known.Transitions) != 4 || len(h.Rows) != 2 {
		t.Errorf("known is %v", known)
	}
}

func TestSeconds(t *testing.T) {
	events := []Event{observing("10:00:00", "online", "open", "awake"), moved("10:00:20", "internet", "online", "offline", "")}
	h := Build(events, switches(), Window{at("09:59:50"), at("10:01:00")})
	want := "map[offline:40 online:20 portal:0 unknown:10]"
	if got := fmt.Sprint(h.Rows[0].Seconds(h.Window)); got != want {
		t.Errorf("got %s, not %s", got, want)
	}
}
