package history

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Style is how a history is drawn.
type Style struct {
	// Width is how many columns there are.
	Width int
	// Colour says that the terminal's colours may be used.
	Colour bool
	// Transitions is how many of the latest transitions are listed; negative
	// for all.
	Transitions int
}

// narrowest is how many columns the bars have at least, whatever the width.
const narrowest = 10

// shortestGap is how long nothing must have been known in all for it to be worth
// a word. A restart of the bridge is shorter.
const shortestGap = time.Second

// The glyphs of a switch's positions in their order. They differ without
// colour, and in most fonts.
var (
	glyphs  = []string{"█", "░", "▒", "▓"}
	colours = []string{"32", "33", "35", "36"} // ECMA-48: green, yellow, magenta, cyan
)

const (
	unknownGlyph  = "·"
	unknownColour = "2" // faint
)

// Picture draws the history: a bar for each switch, its totals, and the latest
// transitions. Times are those of the window's location.
func (h History) Picture(style Style) string {
	p := picture{style: style, window: h.Window}
	for _, row := range h.Rows {
		p.margin = max(p.margin, len(row.Name)+2)
	}
	p.bar = max(style.Width-p.margin, narrowest)
	p.line(h.title())
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
		p.line(p.paint(unknownGlyph, unknownColour) + " the bridge did not run, or the machine slept: not counted")
	}
	p.transitions(h.Transitions)
	return p.String()
}

func (h History) title() string {
	const day, minute = "Mon 2 Jan", "15:04"
	clock := minute
	if h.Lasted() < 10*time.Minute {
		clock = "15:04:05"
	}
	end := clock
	if h.Since.Format(time.DateOnly) != h.Until.Format(time.DateOnly) {
		end = day + " " + clock
	}
	return h.Since.Format(day+" "+clock) + " – " + h.Until.Format(end)
}

type picture struct {
	strings.Builder
	style       Style
	window      Window
	margin, bar int // columns
}

func (p *picture) line(text string) { p.WriteString(strings.TrimRight(text, " ") + "\n") }

func (p *picture) pad(name string) string { return fmt.Sprintf("%-*s", p.margin, name) }

func (p *picture) paint(text, colour string) string {
	if !p.style.Colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[m"
}

// look returns a position's glyph and colour.
func (r Row) look(position string) (glyph, colour string) {
	for i, p := range r.Positions {
		if p == position {
			return glyphs[i%len(glyphs)], colours[i%len(colours)]
		}
	}
	return unknownGlyph, unknownColour
}

// cells draws a row: each column shows what lasted longest in its time.
func (p *picture) cells(row Row) string {
	var bar strings.Builder
	run, last := "", Unknown
	for column := range p.bar {
		position := row.longest(p.window.part(column, p.bar))
		glyph, _ := row.look(position)
		if position != last {
			bar.WriteString(p.run(row, run, last))
			run, last = "", position
		}
		run += glyph
	}
	bar.WriteString(p.run(row, run, last))
	return bar.String()
}

func (p *picture) run(row Row, glyphs, position string) string {
	if glyphs == "" {
		return ""
	}
	_, colour := row.look(position)
	return p.paint(glyphs, colour)
}

// part is one of the window's equal parts.
func (w Window) part(i, parts int) Window {
	at := func(i int) time.Time {
		return w.Since.Add(time.Duration(float64(w.Lasted()) / float64(parts) * float64(i)))
	}
	return Window{at(i), at(i + 1)}
}

// longest is the position that lasted longest in a time.
func (r Row) longest(within Window) string {
	longest, lasted := "", time.Duration(-1)
	totals := map[string]time.Duration{Unknown: within.Lasted()}
	for _, s := range r.Spans {
		if part := s.cut(within).Lasted(); part > 0 {
			totals[s.Position] += part
			totals[Unknown] -= part
		}
	}
	for _, position := range append(r.Positions[:len(r.Positions):len(r.Positions)], Unknown) {
		if totals[position] > lasted {
			longest, lasted = position, totals[position]
		}
	}
	return longest
}

// totals writes the legend of a row with how long each position lasted.
func (p *picture) totals(row Row) {
	known := p.window.Lasted() - row.total(Unknown, p.window)
	var items, plain []string
	for i, position := range append(row.Positions[:len(row.Positions):len(row.Positions)], Unknown) {
		total := row.total(position, p.window)
		if i > 0 && (total == 0 || position == Unknown && total < shortestGap) {
			continue
		}
		item := position + " " + words(total)
		if position != Unknown && known > 0 {
			item += " (" + share(total, known) + ")"
		}
		if times := row.times(position); i > 0 && times > 1 {
			item += fmt.Sprintf(", %d times", times)
		}
		glyph, colour := row.look(position)
		items, plain = append(items, p.paint(glyph, colour)+" "+item), append(plain, glyph+" "+item)
	}
	line, column := p.pad(row.Name), p.margin
	for i, item := range items {
		length := utf8.RuneCountInString(plain[i])
		switch {
		case i == 0:
		case column+3+length > p.style.Width:
			p.line(line)
			line, column = p.pad(""), p.margin
		default:
			line, column = line+"   ", column+3
		}
		line, column = line+item, column+length
	}
	p.line(line)
}

// share is a part in percent. Neither nothing nor all is said of what is
// neither.
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

// words says a duration in its two largest units.
func words(d time.Duration) string {
	if d > 0 && d < time.Second {
		return "under 1 s"
	}
	d = d.Round(time.Second)
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	for i, unit := range units {
		if d < unit.size {
			continue
		}
		said := fmt.Sprintf("%d %s", d/unit.size, unit.name)
		if i+1 < len(units) {
			if rest := d % unit.size / units[i+1].size; rest > 0 {
				said += fmt.Sprintf(" %d %s", rest, units[i+1].name)
			}
		}
		return said
	}
	return "0 s"
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
		layout = "_2 Jan 15:04:05"
	}
	if left := len(all) - len(shown); left > 0 {
		p.line(fmt.Sprintf("the last %d of %d transitions (--verbose: all):", len(shown), len(all)))
	}
	change := 0
	for _, t := range shown {
		change = max(change, utf8.RuneCountInString(t.change()))
	}
	for _, t := range shown {
		why := t.Reason
		if t.Result != "" {
			why += " (" + t.Result + ")"
		}
		p.line(t.Time.In(p.window.Since.Location()).Format(layout) + "  " + p.pad(t.Switch) +
			t.change() + strings.Repeat(" ", change-utf8.RuneCountInString(t.change())) + "  " + why)
	}
}

func (t Transition) change() string { return t.From + " → " + t.To }
