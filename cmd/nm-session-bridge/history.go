package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

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

func historyCommand() command {
	return command{
		name:    "history",
		summary: "show the switches' past positions, from the journal",
		notes: `A bar for each switch, how long each position lasted in all, and the latest
transitions. Not counted is the time in which the bridge did not run, the machine
slept, or nothing was known of the switch. The fields of --json are in nm-session-bridge(1).`,
		examples: []example{
			{"history", "the last 24 hours"},
			{"history --since=today --switch=internet", "how long the internet was there today"},
			{"history --since=7d --json", "the last week, for programs"},
		},
		prepare: func(flags *flag.FlagSet) action {
			options := historyOptions{since: "24h"}
			options.declare(flags)
			return func(ctx context.Context, out output, _ []string) error {
				return tellHistory(ctx, options, out.stdout)
			}
		},
	}
}

// historyOptions are the flags of history.
type historyOptions struct {
	since   string
	only    string // a switch's name; empty for all
	json    bool
	verbose bool
}

func (o *historyOptions) declare(flags *flag.FlagSet) {
	flags.StringVar(&o.since, "since", o.since, "where to begin: a `TIME` as journalctl has it, or how long ago, as 2h or 3d; 24h by default")
	flags.Var(choice{
		set: func(name string) error {
			if !slices.Contains(switchNames(), name) {
				return fmt.Errorf("accepted values are %s", joined(switchNames()))
			}
			o.only = name
			return nil
		},
		words: func(string) []string { return switchNames() },
	}, "switch", "the only switch to show: the `NAME` is one of "+joined(switchNames()))
	flags.BoolVar(&o.json, "json", false, "print JSON")
	flags.BoolVar(&o.verbose, "verbose", false, fmt.Sprintf("list all transitions instead of the last %d", latestTransitions))
}

func tellHistory(ctx context.Context, options historyOptions, stdout *printout) error {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	source := history.Journal{UID: os.Getuid(), Unit: systemdctl.ServiceName, Identifier: journal.Identifier, Disk: history.OnDisk, Run: runProgram}
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
	paint := status.StyleOf(stdout.file)
	style := history.Style{
		Width:       columns(stdout.file),
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
	for _, s := range observers.Table(observers.Policy{}) {
		row := history.Switch{Name: s.Name, Suspends: s.During, Open: s.Template != observers.Template{}}
		if row.Open {
			row.Positions = []string{observers.None}
		}
		for _, p := range s.Positions {
			row.Positions = append(row.Positions, p.Name)
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
func columns(file *os.File) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
		return int(size.Col)
	}
	return pipeWidth
}
