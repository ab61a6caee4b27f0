package history

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/abbrev"
)

// Style says how a history is drawn.
type Style struct {
	// Width is the number of columns.
	Width int
	// Colours paint the glyphs of a switch's positions in their order, and Faint those
	// of unknown time. Without them nothing is painted.
	Colours []func(string) string
	Faint   func(string) string
	// Transitions is how many of the latest transitions are listed; all if negative.
	Transitions int
}

// narrowest is the least number of columns of a bar, whatever the width.
const narrowest = 10

// shortestGap is the smallest total of unknown time that the picture mentions. A restart
// of the bridge takes less.
const shortestGap = time.Second

// glyphs stand for a switch's positions in their order. They differ without colour and
// exist in most fonts.
func glyphs() []string { return []string{"█", "░", "▒", "▓", "▚", "━", "┅", "╳"} }

const unknownGlyph = "·"

// Picture draws the history: a bar and totals for each switch, and the latest
// transitions. Times are in the time zone of the window.
func (h History) Picture(style Style) string {
	p := picture{style: style, window: h.Window}
	for _, row := range h.Rows {
		p.margin = max(p.margin, len(row.Name)+2)
	}
	p.bar = max(style.Width-p.margin, narrowest)
	p.line(h.title())
	if first, known := h.first(); known && first.Sub(h.Since) > h.Lasted()/2 {
		p.line("nothing is known before " + h.moment(first) + " (--since=" + ago(h.Until.Sub(first)) + " shows only the time since then)")
	}
	p.line("")
	for _, row := range h.Rows {
		p.line(p.pad(row.Name) + p.cells(row))
	}
	p.line(p.pad("") + axis(h.Window, p.bar))
	p.line("")
	gaps := false
	for _, row := range h.Rows {
		p.totals(row)
		gaps = gaps || row.total(Unknown, h.Window) >= shortestGap
	}
	if gaps {
		p.line(p.paint(unknownGlyph, -1) + " not counted: the bridge was not running, the machine slept, or the position was unknown")
	}
	p.transitions(h.Transitions)
	return p.String()
}

func (h History) title() string {
	const minute = "15:04"
	day, clock := h.Dated("Mon 2 Jan"), minute
	if h.Lasted() < 10*time.Minute {
		clock = "15:04:05"
	}
	end := clock
	if h.Since.Format(time.DateOnly) != h.Until.Format(time.DateOnly) {
		end = day + " " + clock
	}
	return h.Since.Format(day+" "+clock) + " – " + h.Until.Format(end)
}

// moment writes a time in the window, with the day unless it is that of the window's end.
func (w Window) moment(at time.Time) string {
	at = at.In(w.Until.Location())
	if at.Format(time.DateOnly) == w.Until.Format(time.DateOnly) {
		return at.Format(toTheMinute)
	}
	return at.Format(w.Dated("Mon 2 Jan") + " " + toTheMinute)
}

// ago rounds a duration up to a value of --since.
func ago(d time.Duration) string {
	for _, unit := range []struct {
		letter string
		size   time.Duration
	}{{"s", time.Second}, {"m", time.Minute}} {
		if n := (d + unit.size - 1) / unit.size; n < 120 {
			return fmt.Sprintf("%d%s", n, unit.letter)
		}
	}
	return fmt.Sprintf("%dh", (d+time.Hour-1)/time.Hour)
}

// Dated adds the year to the layout of a day ([time.Time.Format]) if the window spans
// several.
func (w Window) Dated(layout string) string {
	if w.Since.Year() == w.Until.Year() {
		return layout
	}
	return layout + " 2006"
}

type picture struct {
	strings.Builder
	style       Style
	window      Window
	margin, bar int // columns
}

func (p *picture) line(text string) { p.WriteString(strings.TrimRight(text, " ") + "\n") }

func (p *picture) pad(name string) string { return fmt.Sprintf("%-*s", p.margin, name) }

// paint colours glyphs of a switch's i-th position, or of unknown time if i is negative.
func (p *picture) paint(glyphs string, i int) string {
	switch {
	case i < 0 && p.style.Faint != nil:
		return p.style.Faint(glyphs)
	case i >= 0 && len(p.style.Colours) > 0:
		return p.style.Colours[i%len(p.style.Colours)](glyphs)
	}
	return glyphs
}

// glyph returns the glyph of a switch's i-th position, or of unknown time if i is
// negative.
func glyph(i int) string {
	if i < 0 {
		return unknownGlyph
	}
	if n := i - len(glyphs()); n >= 0 {
		return letter(n)
	}
	return glyphs()[i]
}

// letter returns the n-th of the letters that follow the glyphs. No two are alike.
func letter(n int) string {
	switch {
	case n < 26:
		return string(rune('a' + n))
	case n < 2*26:
		return string(rune('A' + n - 26))
	}
	return string(rune('Ā' + n - 2*26)) // Latin Extended
}

// cells draws a row: each column shows the position that lasted longest in its time.
func (p *picture) cells(row Row) string {
	bar, run, last := "", "", -1
	for column := range p.bar {
		i := slices.Index(row.Positions, row.longest(p.window.part(column, p.bar)))
		if i != last && run != "" {
			bar, run = bar+p.paint(run, last), ""
		}
		run, last = run+glyph(i), i
	}
	return bar + p.paint(run, last)
}

// part returns one of n equal parts of the window.
func (w Window) part(i, parts int) Window {
	at := func(i int) time.Time {
		return w.Since.Add(time.Duration(float64(w.Lasted()) / float64(parts) * float64(i)))
	}
	return Window{at(i), at(i + 1)}
}

// longest returns the position that lasted longest in a window.
func (r Row) longest(within Window) string {
	longest, lasted := "", time.Duration(-1)
	totals := map[string]time.Duration{Unknown: within.Lasted()}
	for _, s := range r.Spans {
		if part := s.cut(within).Lasted(); part > 0 {
			totals[s.Position] += part
			totals[Unknown] -= part
		}
	}
	for _, position := range append(slices.Clone(r.Positions), Unknown) {
		if totals[position] > lasted {
			longest, lasted = position, totals[position]
		}
	}
	return longest
}

// totals writes the legend of a row, which says how long each position lasted.
func (p *picture) totals(row Row) {
	known := p.window.Lasted() - row.total(Unknown, p.window)
	var items []string
	var lengths []int // in columns
	for i, position := range append(slices.Clone(row.Positions), Unknown) {
		total := row.total(position, p.window)
		if total == 0 || position == Unknown && total < shortestGap {
			continue
		}
		item := abbrev.Words(position) + " " + abbrev.Duration(total)
		if position != Unknown && known > 0 {
			item += " (" + share(total, known) + ")"
		}
		if times := row.times(position); i > 0 && times > 1 {
			item += fmt.Sprintf(", %d times", times)
		}
		if position == Unknown {
			i = -1
		}
		items, lengths = append(items, p.paint(glyph(i), i)+" "+item), append(lengths, utf8.RuneCountInString(glyph(i)+" "+item))
	}
	line, column := p.pad(row.Name), p.margin
	for i, item := range items {
		switch {
		case i == 0:
		case column+3+lengths[i] > p.style.Width:
			p.line(line)
			line, column = p.pad(""), p.margin
		default:
			line, column = line+"   ", column+3
		}
		line, column = line+item, column+lengths[i]
	}
	p.line(line)
}

// share returns a part in percent. It never rounds to 0 or 100 %.
func share(part, whole time.Duration) string {
	percent := 100 * float64(part) / float64(whole)
	switch {
	case part > 0 && percent < 1:
		return "under 1 %"
	case part < whole && percent > 99:
		return "over 99 %"
	}
	return fmt.Sprintf("%.0f %%", percent)
}

// transitions lists the latest transitions.
func (p *picture) transitions(all []Transition) {
	shown := all
	if n := p.style.Transitions; n >= 0 && n < len(all) {
		shown = all[len(all)-n:]
	}
	if len(shown) == 0 {
		return
	}
	p.line("")
	layout := "Mon 15:04:05"
	if p.window.Lasted() >= 7*24*time.Hour {
		layout = p.window.Dated("_2 Jan") + " 15:04:05"
	}
	if left := len(all) - len(shown); left > 0 {
		p.line(fmt.Sprintf("the last %d of %d transitions (--verbose: all):", len(shown), len(all)))
	}
	change := 0
	for _, t := range shown {
		change = max(change, utf8.RuneCountInString(t.change()))
	}
	for _, t := range shown {
		why := abbrev.Text(t.Reason)
		if t.Result != "" {
			why += " (" + t.Result + ")"
		}
		p.line(t.Time.In(p.window.Since.Location()).Format(layout) + "  " + p.pad(t.Switch) +
			t.change() + strings.Repeat(" ", change-utf8.RuneCountInString(t.change())) + "  " + why)
	}
}

func (t Transition) change() string { return abbrev.Words(t.From) + " → " + abbrev.Words(t.To) }
