package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/history"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/status"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

const (
	// pipeWidth is how many columns there are where nobody says.
	pipeWidth = 80
	// latestTransitions is how many transitions are listed without --verbose.
	latestTransitions = 10
	// journalTimeout bounds the reading of the journal, which may be on a slow
	// disk.
	journalTimeout = time.Minute
)

func newHistory() *cobra.Command {
	var options historyOptions
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show the switches' past positions, from the journal",
		Long: `Show the switches' past positions, from the journal: a bar for each switch, how long
each position lasted in all, and the latest transitions. Not counted is the time in
which the bridge did not run, the machine slept, or nothing was known of the switch.
The fields of --json are in nm-session-bridge(1).`,
		Example: `  # the last 24 hours
  nm-session-bridge history
  # how long the internet was there today
  nm-session-bridge history --since=today --switch=internet
  # the last week, for programs
  nm-session-bridge history --since=7d --json`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return tellHistory(cmd.Context(), options, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.since, "since", "24h", "begin at a `TIME` as journalctl has it, or so long ago, as 2h or 3d")
	flags.Func("switch", "show only the switch of that `NAME`: "+strings.Join(observers.Table().Names(), ", "), options.choose)
	flags.BoolVar(&options.json, "json", false, "print JSON")
	flags.BoolVar(&options.verbose, "verbose", false, fmt.Sprintf("list all transitions instead of the last %d", latestTransitions))
	for name, complete := range map[string]cobra.CompletionFunc{
		"since":  cobra.NoFileCompletions,
		"switch": cobra.FixedCompletions(observers.Table().Names(), cobra.ShellCompDirectiveNoFileComp),
	} {
		_ = cmd.RegisterFlagCompletionFunc(name, complete) // fails for flags that are not there, or twice
	}
	return cmd
}

// historyOptions are the flags of history.
type historyOptions struct {
	since   string
	only    string // a switch's name; empty for all
	json    bool
	verbose bool
}

func (o *historyOptions) choose(name string) error {
	if !slices.Contains(observers.Table().Names(), name) {
		return fmt.Errorf("accepted values are %s", strings.Join(observers.Table().Names(), ", "))
	}
	o.only = name
	return nil
}

func tellHistory(ctx context.Context, options historyOptions, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	source := history.Journal{UID: os.Getuid(), Unit: systemdctl.ServiceName, Identifier: journal.Identifier, Run: runProgram}
	since, err := source.Moment(ctx, options.since)
	if errors.Is(err, history.ErrTimestamp) {
		return usageError{fmt.Errorf("invalid value %q for flag --since: %w", options.since, err)}
	}
	if err != nil {
		return err
	}
	now, err := present()
	if err != nil {
		return err
	}
	if !since.Before(now.Time) {
		return usageError{fmt.Errorf("invalid value %q for flag --since: %s is not in the past", options.since, since.Format(time.DateTime))}
	}
	switches := historySwitches()
	events, err := source.Events(ctx, since, switches, now)
	if err != nil {
		return err
	}
	told := history.Tell(events, switches, history.Window{Since: since, Until: now.Time})
	if options.only != "" {
		told = told.Of(options.only)
	}
	switch {
	case options.json:
		return writeHistory(stdout, told)
	case told.IsEmpty():
		_, err = fmt.Fprintln(stdout, nothing(events, since, now.Time))
		return err
	}
	paint := status.StyleOf(stdout)
	style := history.Style{
		Width:       columns(stdout),
		Colours:     []func(string) string{paint.Good, paint.Warn, paint.Bold},
		Faint:       paint.Dim,
		Transitions: latestTransitions,
	}
	if options.verbose {
		style.Transitions = -1
	}
	_, err = io.WriteString(stdout, told.Known().Picture(style))
	return err
}

// nothing tells why a history is empty.
func nothing(events []history.Event, since, until time.Time) string {
	day := history.Window{Since: since, Until: until}.Dated("Mon 2 Jan")
	said := "nothing is known since " + since.Format(day+" 15:04") + ": "
	if n := len(events); n > 0 && events[n-1].Ended {
		return said + "the bridge stopped on " + events[n-1].Time.Format(day+" at 15:04:05") + "; " + callName() + " doctor tells why, and what starts it"
	}
	return said + "the journal has no position of a switch; the bridge logs them when it runs as a service, see " + callName() + " doctor"
}

// writeHistory writes the history as one object, times as RFC 3339 has them.
func writeHistory(w io.Writer, h history.History) error {
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
		Transitions []history.Transition          `json:"transitions"`
	}{h.Since, h.Until, seconds, append([]history.Transition{}, h.Transitions...)})
}

func historySwitches() []history.Switch {
	var switches []history.Switch
	for _, s := range observers.Table() {
		row := history.Switch{Name: s.Name, Suspends: s.During, Positions: s.PositionNames(), Open: s.HasTemplate()}
		if row.Open {
			row.Positions = []string{observers.None}
		}
		switches = append(switches, row)
	}
	return switches
}

func present() (history.Now, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return history.Now{}, err
	}
	var monotonic unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic); err != nil {
		return history.Now{}, fmt.Errorf("reading the monotonic clock: %w", err)
	}
	return history.Now{
		Time:      time.Now(),
		Monotonic: time.Duration(monotonic.Nano()),
		Boot:      strings.ReplaceAll(strings.TrimSpace(string(boot)), "-", ""),
	}, nil
}

func runProgram(ctx context.Context, program string, args ...string) (stdout, stderr []byte, err error) {
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	return out.Bytes(), problems.Bytes(), err
}

// columns is how wide the output may be.
func columns(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if file, isFile := w.(interface{ Fd() uintptr }); isFile {
		if size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			return int(size.Col)
		}
	}
	return pipeWidth
}
