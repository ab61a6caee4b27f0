package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/self"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/terminal"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Options select what [Show] shows.
type Options struct {
	// Since is where to begin, in the form that [Journal.Moment] reads.
	Since string
	// Switch is the only switch to show, or "" for all.
	Switch string
	// JSON selects the form for programs.
	JSON bool
	// Verbose lists all transitions instead of the last [LatestTransitions].
	Verbose bool
}

// SinceError is an error in [Options.Since].
type SinceError struct {
	Since string
	Err   error
}

func (e SinceError) Error() string {
	return fmt.Sprintf("invalid value %q for flag --since: %v", e.Since, e.Err)
}

// Unwrap returns the cause.
func (e SinceError) Unwrap() error { return e.Err }

// LatestTransitions is how many transitions [Show] lists without
// [Options.Verbose].
const LatestTransitions = 10

// timeout bounds the reading of the journal, which may be on a slow disk.
const timeout = time.Minute

// Show prints what the user's journal knows about the switches' past. An error in
// [Options.Since] is a [SinceError].
func Show(ctx context.Context, w io.Writer, options Options) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	source := Journal{UID: os.Getuid(), Unit: systemdctl.ServiceName, Identifier: journal.Identifier, Disk: OnDisk, Run: runProgram}
	since, err := source.Moment(ctx, options.Since)
	if errors.Is(err, ErrTimestamp) {
		return SinceError{options.Since, err}
	}
	if err != nil {
		return err
	}
	now, err := present()
	if err != nil {
		return err
	}
	if !since.Before(now.Time) {
		return SinceError{options.Since, fmt.Errorf("%s is not in the past", since.Format(time.DateTime))}
	}
	switches := allSwitches()
	events, err := source.Events(ctx, since, switches, now)
	if err != nil {
		return err
	}
	past := Build(events, switches, Window{Since: since, Until: now.Time})
	if options.Switch != "" {
		past = past.Of(options.Switch)
	}
	switch {
	case options.JSON:
		return past.WriteJSON(w)
	case past.IsEmpty():
		_, err = fmt.Fprintln(w, nothing(events, past.Window))
	default:
		_, err = io.WriteString(w, past.Known().Picture(styleOf(w, options.Verbose)))
	}
	return err
}

func styleOf(w io.Writer, verbose bool) Style {
	paint := terminal.StyleOf(w)
	style := Style{
		Width:       terminal.Columns(w),
		Colours:     []func(string) string{paint.Good, paint.Warn, paint.Bold},
		Faint:       paint.Dim,
		Transitions: LatestTransitions,
	}
	if verbose {
		style.Transitions = -1
	}
	return style
}

// nothing returns a sentence that says why a history is empty.
func nothing(events []Event, window Window) string {
	day := window.Dated("Mon 2 Jan")
	said := "nothing is known since " + window.Since.Format(day+" 15:04") + ": "
	if n := len(events); n > 0 && events[n-1].Ended {
		return said + "the bridge stopped on " + events[n-1].Time.Format(day+" at 15:04:05") + "; " + self.Command() + " doctor says why, and how to start it"
	}
	return said + "the journal has no position of a switch; the bridge logs them when it runs as a service, see " + self.Command() + " doctor"
}

// WriteJSON writes the history as one object, with times in the form of RFC 3339.
func (h History) WriteJSON(w io.Writer) error {
	seconds := map[string]map[string]float64{}
	for _, row := range h.Rows {
		seconds[row.Name] = row.Seconds(h.Window)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Since       time.Time                     `json:"since"`
		Until       time.Time                     `json:"until"`
		Seconds     map[string]map[string]float64 `json:"seconds"`
		Transitions []Transition                  `json:"transitions"`
	}{h.Since, h.Until, seconds, append([]Transition{}, h.Transitions...)})
}

// allSwitches returns all switches of the table.
func allSwitches() []Switch {
	var switches []Switch
	for _, s := range observers.Table() {
		row := Switch{Name: s.Name, Suspends: s.During, Positions: s.PositionNames(), Open: s.HasTemplate()}
		if row.Open {
			row.Positions = []string{observers.None}
		}
		switches = append(switches, row)
	}
	return switches
}

func present() (Now, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Now{}, err
	}
	var monotonic unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic); err != nil {
		return Now{}, fmt.Errorf("cannot read the monotonic clock: %w", err)
	}
	return Now{
		Time:      time.Now(),
		Monotonic: time.Duration(monotonic.Nano()),
		Boot:      strings.ReplaceAll(strings.TrimSpace(string(boot)), "-", ""),
	}, nil
}
