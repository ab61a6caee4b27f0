package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// table is everything that was measured.
type table struct {
	Machine string
	Figures []*figure
}

// figure is one line of the table. For many measurements it has the median and
// the 99th percentile, for a single one its value.
type figure struct {
	Subject, Of string
	// Ratio is the ratio to To; 0 if there is nothing to compare with.
	Ratio float64 `json:",omitempty"`
	To    string  `json:",omitempty"`
	Value float64
	P99   float64 `json:",omitempty"`
	Unit  string
	N     int
	// Budget is the bound that was set beforehand, if any.
	Budget *budget `json:",omitempty"`
}

type budget struct {
	Want string
	Met  bool
}

func within(want string, met bool) *budget { return &budget{want, met} }

func atMost(want string, value, most float64) *budget { return within(want, value <= most) }

func (t *table) add(f figure) *figure {
	t.Figures = append(t.Figures, &f)
	return &f
}

// addTimes adds durations, in nanoseconds, and the ratio of their median to
// that of a base.
func (t *table) addTimes(subject, of string, times, base sample, to string) *figure {
	const ms = float64(time.Millisecond)
	f := figure{Subject: subject, Of: of, Value: times.median() / ms, P99: times.p99() / ms, Unit: "ms", N: len(times)}
	if len(base) > 0 {
		f.Ratio, f.To = times.median()/base.median(), to
	}
	return t.add(f)
}

// markdown returns the table for the terminal and for the README.
func (t *table) markdown() string {
	rows := [][]string{{"", "", "ratio", "median", "p99", "budget"}}
	subject := ""
	for _, f := range t.Figures {
		row := []string{"", strings.ReplaceAll(f.Of, "|", `\|`), "", number(f.Value) + " " + f.Unit, "", ""}
		if f.Subject != subject {
			subject = f.Subject
			row[0] = subject
		}
		if f.To != "" {
			row[2] = number(f.Ratio) + " × " + f.To
		}
		if f.P99 != 0 {
			row[4] = number(f.P99) + " " + f.Unit
		}
		if f.Budget != nil {
			row[5] = f.Budget.Want + ": " + strings.ToUpper(f.Budget.verdict())
		}
		rows = append(rows, row)
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var out strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(&out, "| %s%s ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		out.WriteString("|\n")
		if n == 0 {
			for i, w := range widths {
				align := "-"
				if i >= 2 && i <= 4 {
					align = ":"
				}
				out.WriteString("|-" + strings.Repeat("-", w) + align)
			}
			out.WriteString("|\n")
		}
	}
	return out.String() + "\n" + t.Machine + "\n"
}

// number formats a number with three significant digits.
func number(x float64) string {
	switch {
	case x == math.Trunc(x) && math.Abs(x) < 1000: // a count
		return fmt.Sprintf("%.0f", x)
	case x < 9.995:
		return fmt.Sprintf("%.2f", x)
	case x < 99.95:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// write writes the table as JSON, as a chart, and into the README.
func (t *table) write(dir string) error {
	content, err := json.MarshalIndent(t, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "figures.json"), append(content, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "chart.svg"), []byte(t.chart()), 0o644); err != nil {
		return err
	}
	return t.fillReadme(filepath.Join(filepath.Dir(filepath.Clean(dir)), "README.md"))
}

// describeMachine describes the machine that the figures come from.
func describeMachine(began time.Time) string {
	var kernel unix.Utsname
	_ = unix.Uname(&kernel) // cannot fail on a variable
	cpu := runtime.GOARCH
	if content, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(content)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("Measured in %.0f s on %d × %s, Linux %s, %s, NetworkManager %s, %s.",
		time.Since(began).Seconds(), runtime.NumCPU(), cpu, unix.ByteSliceToString(kernel.Release[:]),
		firstLine("systemctl", "--version"), firstLine("NetworkManager", "--version"), runtime.Version())
}

func firstLine(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "of unknown version"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	line, _, _ = strings.Cut(line, " (")
	return line
}
