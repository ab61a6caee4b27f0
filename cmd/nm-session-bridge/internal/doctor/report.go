package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Report is what the doctor found.
type Report struct {
	// Findings about one unit follow each other.
	Findings []Finding `json:"findings"`
	// Summary names what was checked. Unchecked names what could not be checked, and
	// why.
	Summary   []string `json:"checked"`
	Unchecked []string `json:"unchecked"`
}

// Write writes a block of lines for each finding and a line with the summary. A command
// that mends several findings stands under the last of them.
func (r Report) Write(w io.Writer) {
	for i, f := range r.Findings {
		fmt.Fprintf(w, "%s\n  why   %s\n", f.What, f.Why)
		if i+1 < len(r.Findings) && f.Unit != "" && f.Mend == r.Findings[i+1].Mend {
			continue
		}
		fmt.Fprintf(w, "  mend  %s\n\n", f.text())
	}
	summary := counted(len(r.Findings), "finding")
	if len(r.Findings) == 0 {
		summary = "everything is in order: " + strings.Join(r.Summary, ", ")
	}
	if len(r.Unchecked) > 0 {
		summary += "; not checked: " + strings.Join(r.Unchecked, ", ")
	}
	fmt.Fprintln(w, summary)
}

// text returns the text for a person. Work to do by hand is a shell comment.
func (m Mend) text() string {
	if m.Command == "" {
		return "# by hand: " + m.ByHand
	}
	return m.Command
}

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}
