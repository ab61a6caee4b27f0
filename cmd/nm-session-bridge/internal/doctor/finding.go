// Package doctor finds out why targets and the user's units do not work as intended, and
// which command mends it. It changes nothing.
package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Finding is something that is wrong.
type Finding struct {
	// What names the thing and says what is wrong with it. Why says what follows from that.
	What, Why string
	// Mend is the command line that mends it.
	Mend string
}

// Report is what the doctor found.
type Report struct {
	Findings []Finding
	// Summary names what was checked, Unchecked what could not be checked, and why.
	Summary, Unchecked []string
}

// Write writes a block of lines for each finding and a line with the summary.
func (r Report) Write(w io.Writer) {
	for _, f := range r.Findings {
		fmt.Fprintf(w, "%s\n  why   %s\n  mend  %s\n\n", f.What, f.Why, f.Mend)
	}
	summary := fmt.Sprintf("%d findings", len(r.Findings))
	switch len(r.Findings) {
	case 0:
		summary = "everything is in order: " + strings.Join(r.Summary, ", ")
	case 1:
		summary = "1 finding"
	}
	if len(r.Unchecked) > 0 {
		summary += "; not checked: " + strings.Join(r.Unchecked, ", ")
	}
	fmt.Fprintln(w, summary)
}
