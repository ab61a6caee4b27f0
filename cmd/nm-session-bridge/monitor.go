package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/brief"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/status"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func newMonitor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Follow the switches as they change, until interrupted",
		Long: `Follow the switches as they change, until interrupted. It begins with the present
positions, and goes on over restarts of nm-session-bridge. With --json each line is an
object with the fields time, switch, from, to, reason and held; an object with the
field running reports a bridge that comes or goes.`,
		Example: `  # watch while you pull the cable
  nm-session-bridge monitor
  # one object a line, for programs
  nm-session-bridge monitor --json | jq --unbuffered .to`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tell := tellInWords(cmd.OutOrStdout())
			if asJSON {
				tell = tellInJSON(cmd.OutOrStdout())
			}
			return monitor(cmd.Context(), tell)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
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

// monitor reports changes until the context ends, or the reader has gone.
func monitor(ctx context.Context, tell func(change) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	session, err := dialSession(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	m := follower{positions: map[string]string{}, tell: func(c change) {
		if tell(c) != nil {
			cancel()
		}
	}}
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

func tellInJSON(w io.Writer) func(change) error {
	encoder := json.NewEncoder(w)
	return func(c change) error { return encoder.Encode(c) }
}

func tellInWords(w io.Writer) func(change) error {
	style := status.StyleOf(w)
	width := len(slices.MaxFunc(observers.Table().Names(), func(a, b string) int { return len(a) - len(b) }))
	return func(c change) error {
		clock := style.Dim(c.Time.Format("15:04:05.000"))
		if c.Running != nil {
			words := "nm-session-bridge runs"
			if !*c.Running {
				words = style.Warn("nm-session-bridge does not run")
			}
			_, err := fmt.Fprintf(w, "%s  %s\n", clock, words)
			return err
		}
		reason := ""
		if c.Reason != "" {
			reason = "  " + brief.Text(c.Reason)
		}
		from := ""
		if c.From != "" {
			from = brief.Words(c.From) + " → "
		}
		_, err := fmt.Fprintf(w, "%s  %-*s  %s%s%s\n", clock, width, c.Switch, from, style.Bold(brief.Words(c.To)), reason)
		return err
	}
}
