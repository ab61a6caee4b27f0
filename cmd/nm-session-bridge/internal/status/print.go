package status

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/abbrev"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/terminal"
)

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// Print writes the report for people: the positions, in bold, and the reasons beside
// them. program is how to call this program from a shell.
func (r Report) Print(w io.Writer, now time.Time, program string, style terminal.Style) {
	p := printer{w, style, now, program}
	if !r.Running {
		p.line(style.Warn("nm-session-bridge is not running: this is what the targets and the services say."))
		next := "Start it: systemctl --user start nm-session-bridge; see why it ended: journalctl --user -u nm-session-bridge"
		if !r.installed() {
			next = "It is not installed; install it: " + program + " install --now"
		}
		p.line(next)
		p.line("")
	}
	names, positions, units := r.widths()
	for _, s := range r.Switches {
		p.switchLine(s, names, positions)
		for _, t := range s.Targets {
			p.unitLine(indent, t.Name, t.Active, "", units)
			p.units(indent+deeper, t.Units, units)
		}
	}
	if names := r.factNames(); len(names) > 0 {
		p.line("")
		p.facts(names, r.Facts)
	}
	for _, problem := range r.Problems {
		p.line(style.Warn(problem))
	}
}

// installed reports whether any target exists.
func (r Report) installed() bool {
	for _, s := range r.Switches {
		for _, t := range s.Targets {
			if t.Active != "not-found" {
				return true
			}
		}
	}
	return false
}

// The indentation of targets, and the further indentation of their units.
const (
	indent = "  "
	deeper = "    "
)

// widest is the greatest width of a column. A longer word extends beyond it.
const widest = 48

// widths returns how wide the columns are.
func (r Report) widths() (names, positions, units int) {
	fit := func(width *int, words string) {
		if len(words) <= widest {
			*width = max(*width, len(words))
		}
	}
	var fitUnits func(indent string, all []Unit)
	fitUnits = func(indent string, all []Unit) {
		for _, u := range all {
			fit(&units, indent+"● "+u.Name)
			fitUnits(indent+deeper, u.Units)
		}
	}
	for _, s := range r.Switches {
		fit(&names, s.Name)
		fit(&positions, s.Position)
		for _, t := range s.Targets {
			fit(&units, indent+"● "+t.Name)
			fitUnits(indent+deeper, t.Units)
		}
	}
	return names, positions, units
}

type printer struct {
	io.Writer
	terminal.Style
	now     time.Time
	program string
}

func (p printer) line(words string) { fmt.Fprintln(p.Writer, strings.TrimRight(words, " ")) }

func (p printer) switchLine(s Switch, names, positions int) {
	var notes []string
	if s.Since != nil {
		notes = append(notes, "since "+p.when(*s.Since))
	}
	if s.Held {
		notes = append(notes, p.Warn(client.HeldByHand)+", \""+p.program+" set "+s.Name+" auto\" ends that")
	} else if s.Reason != "" {
		notes = append(notes, abbrev.Text(s.Reason))
	}
	if s.Doubt != "" {
		notes = append(notes, p.Warn("in doubt")+": "+abbrev.Text(s.Doubt))
	}
	if s.Source != "" {
		notes = append(notes, s.Source)
	}
	if s.Lock != "" {
		notes = append(notes, "delay lock "+s.Lock)
	}
	p.line(fmt.Sprintf("%s  %s  %s", p.Bold(pad(s.Name, names)), p.Bold(pad(abbrev.Words(s.Position), positions)), strings.Join(notes, "; ")))
}

// when returns a time and how long ago it was.
func (p printer) when(t time.Time) string {
	ago, layout := p.now.Sub(t), "15:04:05"
	if ago >= 24*time.Hour {
		layout = "2006-01-02 15:04"
	}
	return fmt.Sprintf("%s (%s)", t.Local().Format(layout), abbrev.Duration(ago))
}

// units lists units, and below each target the units that are bound to it.
func (p printer) units(indent string, all []Unit, width int) {
	for _, u := range all {
		note := u.Sub
		if u.Result != "" {
			note += ", " + u.Result
		}
		p.unitLine(indent, u.Name, u.Active, note, width)
		p.units(indent+deeper, u.Units, width)
	}
}

func (p printer) unitLine(indent, name, active, note string, width int) {
	dot, colour := "○", p.Plain
	switch active {
	case "active":
		dot, colour = "●", p.Good
	case "activating", "deactivating", "reloading":
		dot, colour = "↻", p.Warn
	case "inactive":
	default: // failed, masked, not-found
		dot, colour = "×", p.Bad
	}
	if note != "" {
		note = " (" + note + ")"
	}
	// A dot takes one column but several bytes.
	rest := width - len(indent) - len("● ")
	p.line(indent + colour(dot) + " " + pad(name, rest) + "  " + colour(active) + note)
}

// facts lists what the services said, in a stable order.
func (p printer) facts(names []string, facts map[string]string) {
	width := 0
	for _, name := range names {
		width = max(width, len(name))
	}
	for _, name := range names {
		p.line("  " + p.Dim(pad(name, width)) + "  " + facts[name])
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-len(s)))
}
