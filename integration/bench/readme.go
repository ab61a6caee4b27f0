package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// The lines in integration/README.md between which the bench writes.
const (
	readmeBegin = "<!-- go run ./integration/bench writes from here -->\n"
	readmeEnd   = "<!-- to here -->\n"
)

// fillReadme writes the tables that matter most into a README.
func (t *table) fillReadme(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(content), readmeBegin)
	_, after, ends := strings.Cut(rest, readmeEnd)
	if !begins || !ends {
		return fmt.Errorf("%s does not say where the tables belong: it needs the lines %q and %q", path, readmeBegin, readmeEnd)
	}
	return os.WriteFile(path, []byte(before+readmeBegin+t.readme()+readmeEnd+after), 0o644)
}

// readme returns the tables for the README.
func (t *table) readme() string {
	return strings.Join([]string{
		"", t.Machine, "",
		"From the signal, in ms: median, p99, and the median as a multiple of the floor's",
		"",
		t.grid([]column{
			{"lid → target", t.of(fromLid)},
			{"lid → program", t.of("from logind's signal of the lid" + toProgram)},
			{"Lock → program", t.of("from Lock" + toProgram)},
			{"PrepareForSleep → program", t.of("from PrepareForSleep" + toProgram)},
			{"Connectivity → program", t.of("from NetworkManager's signal" + toProgram)},
		}, func(f *figure) string {
			text := number(f.Value) + ", " + number(f.P99)
			if f.To != "" && f.Of != floor {
				text += ", " + number(f.Ratio) + " ×"
			}
			return text
		}),
		"At rest and at work",
		"",
		t.grid([]column{
			{"private MB", t.of(restSubject + ": private")},
			{"RSS MB", t.of(restSubject + ": RSS")},
			{"after 100,000 foreign signals", t.of(floodSubject + ": private")},
			{"wake-ups", t.of(t.subject("at rest: wake-ups"))},
			{"while NetworkManager chatters", t.of(t.subject("signals: wake-ups"))},
			{"CPU of a change, ms", t.of("CPU time of a transition")},
			{"exec → READY, ms", t.of(startSubject)},
			{"CPU of it, ms", t.of(startCPUSubject)},
		}, value),
		fmt.Sprintf("During a flood: %d times a second, another user's Lock and a signal that they send straight to the contender", floodRate),
		"",
		t.grid([]column{
			{fmt.Sprintf("signals lost, of %d", amidFlood), t.of(lostSubject)},
			{"signal → program, ms", t.of(amidSubject)},
			{"CPU, % of a core", t.of(floodCPUSubject)},
			{fmt.Sprintf("forgeries that it acts on, of %d", forgeries), t.of(forgerySubject)},
		}, value),
		"Where the private memory is, in MB",
		"",
		t.grid(t.whereColumns(), value),
		"Budgets",
		"",
		t.budgets(),
	}, "\n")
}

func value(f *figure) string { return number(f.Value) }

// whereColumns are the parts of the private memory.
func (t *table) whereColumns() []column {
	var all []column
	for _, f := range t.Figures {
		head, isPart := strings.CutPrefix(f.Subject, whereSubject)
		if isPart && !slices.ContainsFunc(all, func(c column) bool { return c.head == head }) {
			all = append(all, column{head, t.of(f.Subject)})
		}
	}
	return all
}

// subject returns the first subject with an ending, or "".
func (t *table) subject(ending string) string {
	for _, f := range t.Figures {
		if strings.HasSuffix(f.Subject, ending) {
			return f.Subject
		}
	}
	return ""
}

// column is a subject, with figures of some contenders.
type column struct {
	head    string
	figures []*figure
}

// grid returns a table with a row for each contender.
func (t *table) grid(columns []column, cell func(*figure) string) string {
	head := []string{""}
	var names []string
	for _, c := range columns {
		head = append(head, c.head)
		for _, f := range c.figures {
			if !slices.Contains(names, f.Of) {
				names = append(names, f.Of)
			}
		}
	}
	rows := [][]string{head}
	for _, name := range names {
		row := []string{name}
		for _, c := range columns {
			text := ""
			for _, f := range c.figures {
				if f.Of == name {
					text = cell(f)
				}
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	return markdownTable(rows)
}

// budgets returns a table with a row for each budget.
func (t *table) budgets() string {
	rows := [][]string{{"", "budget", "measured", ""}}
	for _, f := range t.Figures {
		if f.Budget == nil {
			continue
		}
		measured := number(f.Value) + " " + f.Unit
		if f.To != "" {
			measured = number(f.Ratio) + " × " + f.To + ", " + measured
		}
		subject := f.Subject
		if f.Of != bridge {
			subject += ", " + f.Of
		}
		rows = append(rows, []string{subject, f.Budget.Want, measured, f.Budget.verdict()})
	}
	return markdownTable(rows)
}

func (b *budget) verdict() string {
	if b.Met {
		return "met"
	}
	return "missed"
}

func markdownTable(rows [][]string) string {
	var out strings.Builder
	for n, row := range rows {
		for _, cell := range row {
			fmt.Fprintf(&out, "| %s ", strings.TrimSpace(strings.ReplaceAll(cell, "|", `\|`)))
		}
		out.WriteString("|\n")
		if n == 0 {
			out.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return out.String()
}
