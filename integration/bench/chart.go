package main

import (
	"fmt"
	"strings"
)

// chart draws how long each contender takes and how much memory it has.
func (t *table) chart() string {
	const (
		width, left, right = 860, 300, 120
		row, head          = 26, 44
	)
	var rows strings.Builder
	y := 20
	for _, panel := range []struct{ title, subject string }{
		{"milliseconds from the signal to the active target: median, and p99 as a line", fromLid},
		{"milliseconds of it in the client itself", ownShare},
		{"from the signal to the active target, on NetworkManager's signal", fromNM},
		{"from Lock to the user's program started", "from Lock" + toProgram},
		{"memory at rest, RSS in MB", restSubject + ": RSS"},
		{"memory at rest, private, in MB", restSubject + ": private"},
	} {
		figures := t.of(panel.subject)
		longest := 0.0
		for _, f := range figures {
			longest = max(longest, f.Value, f.P99)
		}
		scale := (width - left - right) / longest
		fmt.Fprintf(&rows, "  <text class=\"head\" x=\"20\" y=\"%d\">%s</text>\n", y+10, panel.title)
		y += 24
		for _, f := range figures {
			kind := "bar"
			if strings.HasPrefix(f.Of, bridge) {
				kind = "bar ours"
			}
			fmt.Fprintf(&rows, "  <text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left-10, y+15, f.Of)
			fmt.Fprintf(&rows, "  <rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", kind, left, y+3, f.Value*scale, row-8)
			end := f.Value
			if f.P99 > 0 {
				end = max(f.Value, f.P99)
				fmt.Fprintf(&rows, "  <path class=\"line\" d=\"M%.1f %dH%.1f\"/>\n", left+f.Value*scale, y+row/2-1, left+end*scale)
			}
			fmt.Fprintf(&rows, "  <text class=\"small\" x=\"%.1f\" y=\"%d\">%s</text>\n", left+end*scale+8, y+15, number(f.Value)+ratioOf(f))
			y += row
		}
		y += head - 24
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img" aria-label="The bridge beside what else could do its work">
  <style>
    .bar { fill: #8c959f }
    .ours { fill: #1a7f37 }
    .line { stroke: #57606a; stroke-width: 1.4 }
    .head { font-weight: bold; font-size: 15px }
    .small { font-size: 12px; fill: #57606a }
    text { fill: #1f2328 }
  </style>
  <rect width="%d" height="%d" fill="#ffffff"/>
%s</svg>
`, width, y, width, y, rows.String())
}

func ratioOf(f *figure) string {
	if f.To == "" {
		return ""
	}
	return fmt.Sprintf(" (%s ×)", number(f.Ratio))
}

// of returns the figures of a subject.
func (t *table) of(subject string) []*figure {
	var figures []*figure
	for _, f := range t.Figures {
		if f.Subject == subject {
			figures = append(figures, f)
		}
	}
	return figures
}
