package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/brief"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/status"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func monitorCommand() command {
	return command{
		name:    "monitor",
		summary: "follow the switches as they change, until interrupted",
		notes:   "It begins with the present positions, and goes on over restarts of nm-session-bridge.",
		examples: []example{
			{"monitor", "watch while you pull the cable"},
			{"monitor --json | jq --unbuffered .to", "one object a line, for programs"},
		},
		prepare: func(flags *flag.FlagSet) action {
			asJSON := flags.Bool("json", false, "print one JSON object a line, with the fields time, switch, from, to, reason and held; an object with the field running tells of a bridge that comes or goes")
			return func(ctx context.Context, out output, _ []string) error {
				tell := tellInWords(out.stdout)
				if *asJSON {
					tell = tellInJSON(out.stdout)
				}
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				return monitor(ctx, func(c change) {
					tell(c)
					if out.stdout.err != nil {
						cancel()
					}
				})
			}
		},
	}
}

// change is one line of monitor.
type change struct {
	Time   time.Time `json:"time"`
	Switch string    `json:"switch,omitempty"`
	From   string    `json:"from,omitempty"`
	To     string    `json:"to,omitempty"`
	Reason string    `json:"reason,omitempty"`
	// Held is there wherever Switch is.
	Held *bool `json:"held,omitempty"`
	// Running is set where the bridge itself came or went.
	Running *bool `json:"running,omitempty"`
}

func monitor(ctx context.Context, tell func(change)) error {
	session, err := dialSession(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	m := follower{tell: tell, positions: map[string]string{}}
	return client.New(session).Follow(ctx, m.news)
}

// follower turns states into changes.
type follower struct {
	tell      func(change)
	positions map[string]string
	heard     bool
	running   bool
}

func (m *follower) news(state client.State, err error) {
	running := err == nil
	now := time.Now()
	if running != m.running || !m.heard {
		m.tell(change{Time: now, Running: &running})
	}
	m.running, m.heard = running, true
	for _, name := range observers.Table().Names() {
		position, known := state.Positions[client.PropertyOf(name)]
		if !known || position == m.positions[name] || position == client.Off {
			continue
		}
		_, held := state.Overrides[name]
		m.tell(change{Time: now, Switch: name, From: m.positions[name], To: position, Reason: state.Facts[name+".reason"], Held: &held})
		m.positions[name] = position
	}
}

func tellInJSON(w io.Writer) func(change) {
	encoder := json.NewEncoder(w)
	return func(c change) { _ = encoder.Encode(c) }
}

func tellInWords(out *printout) func(change) {
	style := status.StyleOf(out.file)
	width := len(slices.MaxFunc(observers.Table().Names(), func(a, b string) int { return len(a) - len(b) }))
	return func(c change) {
		clock := style.Dim(c.Time.Format("15:04:05.000"))
		if c.Running != nil {
			words := "nm-session-bridge runs"
			if !*c.Running {
				words = style.Warn("nm-session-bridge does not run")
			}
			fmt.Fprintf(out, "%s  %s\n", clock, words)
			return
		}
		reason := ""
		if c.Reason != "" {
			reason = "  " + brief.Text(c.Reason)
		}
		from := ""
		if c.From != "" {
			from = brief.Words(c.From) + " → "
		}
		fmt.Fprintf(out, "%s  %-*s  %s%s%s\n", clock, width, c.Switch, from, style.Bold(brief.Words(c.To)), reason)
	}
}
