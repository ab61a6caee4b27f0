package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/golden"
)

// day returns a day with everything: a portal, a nap, a restart and an evening
// without the bridge.
func day() []Event {
	return []Event{
		observing("07:10:00", "offline", "closed", "awake"),
		moved("08:00:00", "lid", "closed", "open", "LidClosed=false"),
		moved("08:00:05", "internet", "offline", "portal", "Connectivity=Portal State=ConnectedSite"),
		moved("08:30:00", "internet", "portal", "online", "Connectivity=Full State=ConnectedGlobal"),
		moved("12:00:00", "lid", "open", "closed", "LidClosed=true"),
		moved("12:00:00", "sleep", "awake", "asleep", "PrepareForSleep=true"),
		slept("13:30:00", 90*time.Minute),
		moved("13:30:00", "sleep", "asleep", "awake", "PrepareForSleep=false"),
		moved("13:30:01", "lid", "closed", "open", "LidClosed=false"),
		moved("15:00:00", "internet", "online", "offline", "Connectivity=None State=ConnectedSite"),
		moved("15:20:00", "internet", "offline", "online", "Connectivity=Full State=ConnectedGlobal"),
		ended("16:00:00"),
		observing("16:00:00", "online", "open", "awake"),
		ended("17:00:00"),
	}
}

func TestPicture(t *testing.T) {
	for name, test := range map[string]struct {
		window Window
		style  Style
		only   string
	}{
		"day":     {Window{at("06:00:00"), at("18:00:00")}, Style{Width: 60, Transitions: 3}, ""},
		"lid":     {Window{at("07:30:00"), at("14:00:00")}, Style{Width: 40, Transitions: -1}, "lid"},
		"moment":  {Window{at("15:00:00"), at("15:00:02")}, Style{Width: 50}, "internet"},              // never in the first position
		"online":  {Window{at("08:30:00"), at("11:00:00")}, Style{Width: 50}, "internet"},              // and nothing else
		"first":   {Window{at("07:14:20").AddDate(0, 0, -1), at("07:14:20")}, Style{Width: 60}, "lid"}, // day of the bridge
		"minutes": {Window{at("15:18:00"), at("15:21:30")}, Style{Width: 50, Transitions: 5}, "internet"},
	} {
		h := Build(day(), switches(), test.window)
		if test.only != "" {
			h = h.Of(test.only)
		}
		golden.Check(t, name, h.Picture(test.style))
	}
}

func TestInJSON(t *testing.T) {
	var out strings.Builder
	window := Window{at("06:00:00"), at("18:00:00")}
	if err := Build(day(), switches(), window).Of("internet").WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "json", out.String())
}

func TestSecondsHaveThreeDecimals(t *testing.T) {
	window := Window{at("06:00:00"), at("06:00:00").Add(1473 * time.Millisecond)}
	if got := fmt.Sprint((Row{}).Seconds(window)[Unknown]); got != "1.473" {
		t.Errorf("1473 ms are %s s", got)
	}
}

func TestColoursAreAroundGlyphsOnly(t *testing.T) {
	h := Build(day(), switches(), Window{at("06:00:00"), at("18:00:00")})
	marked := func(mark string) func(string) string {
		return func(glyphs string) string { return "<" + mark + ">" + glyphs + "</>" }
	}
	coloured := h.Picture(Style{Width: 60, Colours: []func(string) string{marked("1"), marked("2"), marked("3")}, Faint: marked("0")})
	for _, want := range []string{
		"internet  <0>·····</><2>░░░</><3>▒▒</><1>███████████████</><0>······</><1>███████</><2>░</><1>███████</><0>····</>\n",
		" <1>█</> online 6 h", " <2>░</> offline 1 h", " <3>▒</> portal 29 min", " <0>·</> unknown 3 h", "\n<0>·</> not counted: the",
	} {
		if !strings.Contains(coloured, want) {
			t.Errorf("there is no %q in\n%s", want, coloured)
		}
	}
	for _, mark := range []string{"<0>", "<1>", "<2>", "<3>", "</>"} {
		coloured = strings.ReplaceAll(coloured, mark, "")
	}
	if plain := h.Picture(Style{Width: 60}); coloured != plain {
		t.Errorf("without its colours\n%s\nis not\n%s", coloured, plain)
	}
}

func TestAResultIsTold(t *testing.T) {
	e := moved("10:00:00", "internet", "online", "offline", "Connectivity=None")
	e.Transition.Result = "superseded"
	h := Build([]Event{e}, switches(), Window{at("06:00:00"), at("18:00:00")})
	if got := h.Picture(Style{Width: 80, Transitions: 1}); !strings.Contains(got, "Connectivity=None (superseded)\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestYearsAreToldWhereThereAreSeveral(t *testing.T) {
	e := moved("10:00:00", "internet", "online", "offline", "")
	got := Build([]Event{e}, switches(), Window{at("10:00:00").AddDate(-2, 0, 0), at("12:00:00")}).Picture(Style{Width: 80, Transitions: 1})
	for _, want := range []string{"Sat 2 Nov 2024 10:00 – Mon 2 Nov 2026 12:00\n", " ╵3 May 2025 ", "\n 2 Nov 2026 10:00:00  internet"} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
}

func TestEachGlyphStandsForOnePosition(t *testing.T) {
	var events []Event
	const most = 100
	for i := range most {
		position := fmt.Sprintf("profile%d", i)
		e := moved("00:00:00", "connection", "", position, "")
		e.Time = e.Time.Add(time.Duration(i) * time.Minute)
		events = append(events, e)
	}
	window := Window{events[0].Time, events[0].Time.Add(most * time.Minute)}
	connection := Switch{Name: "connection", Positions: []string{"none"}, Open: true}
	lines := strings.Split(Build(events, []Switch{connection}, window).Picture(Style{Width: len("connection  ") + most}), "\n")
	bar := strings.Fields(lines[2])[1]
	seen := map[rune]bool{}
	for _, glyph := range bar {
		seen[glyph] = true
	}
	if len(seen) != most || !strings.HasPrefix(bar, "█░▒▓▚━┅╳abc") {
		t.Errorf("%d glyphs stand for %d positions: %s", len(seen), most, bar)
	}
}

func TestATimeSpanIsLongEnough(t *testing.T) {
	for lasted, want := range map[time.Duration]string{
		time.Millisecond:             "1s",
		90 * time.Second:             "90s",
		4*time.Minute + time.Second:  "5m",
		time.Hour:                    "60m",
		2*time.Hour + time.Second:    "3h",
		9*24*time.Hour + time.Minute: "217h",
	} {
		if got := ago(lasted); got != want {
			t.Errorf("%v is %q, not %q", lasted, got, want)
		}
	}
}

func TestShares(t *testing.T) {
	for _, test := range []struct {
		part, whole time.Duration
		want        string
	}{
		{0, time.Hour, "0 %"},
		{time.Second, time.Hour, "under 1 %"},
		{time.Hour / 2, time.Hour, "50 %"},
		{time.Hour - time.Second, time.Hour, "over 99 %"},
		{time.Hour, time.Hour, "100 %"},
	} {
		if got := share(test.part, test.whole); got != test.want {
			t.Errorf("%v of %v is %q, not %q", test.part, test.whole, got, test.want)
		}
	}
}

func TestAxis(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		since  time.Time
		lasted time.Duration
		want   string
	}{
		{at("18:24:27"), 30 * time.Second, "     ╵18:24:30       ╵18:24:40        ╵18:24:50"},
		{at("10:00:00"), 24 * time.Hour, "    ╵12:00      ╵18:00       ╵Tue 3      ╵06:00"},
		{at("10:00:00"), 7 * 24 * time.Hour, "           ╵4 Nov        ╵6 Nov        ╵8 Nov"},
		{at("10:00:00"), 365 * 24 * time.Hour, "                        ╵3 May 2027"},
		{at("10:00:00"), 50 * 24 * time.Hour, "             ╵16 Nov       ╵30 Nov       ╵14 Dec"},
		{at("10:00:00"), 100 * 24 * time.Hour, "             ╵30 Nov 2026  ╵28 Dec 2026"},
		{at("10:00:00"), 10_000 * 24 * time.Hour, "     ╵2030    ╵2035     ╵2040    ╵2045    ╵2050"},
		// The night in which the clocks are put back has 25 hours.
		{time.Date(2026, 10, 25, 0, 0, 0, 0, berlin), 12 * time.Hour, "╵Sun 25     ╵02:00  ╵04:00   ╵06:00  ╵08:00"},
		{at("10:00:00"), time.Millisecond, "╵10:00:00"},
	} {
		if got := strings.TrimRight(axis(Window{test.since, test.since.Add(test.lasted)}, 50), " "); got != test.want {
			t.Errorf("%v from %s:\n%q, not\n%q", test.lasted, test.since, got, test.want)
		}
	}
}
