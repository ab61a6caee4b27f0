// Package monitor prints the switches' positions as they change.
package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/abbrev"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/terminal"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Follow prints the present positions and each change, in JSON or for people,
// until the context ends or the reader has gone.
func Follow(ctx context.Context, w io.Writer, inJSON bool) error {
	session, err := bus.ConnectSession(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	write := printWords(w)
	if inJSON {
		write = printJSON(w)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, written := newQueue(), make(chan struct{})
	go func() {
		defer close(written)
		defer cancel()
		changes.writeAll(ctx, write)
	}()
	f := follower{positions: map[string]string{}, report: changes.add}
	err = client.New(session).Follow(ctx, f.news)
	changes.end()
	select {
	case <-written:
	case <-ctx.Done(): // the reader may never continue
	}
	return err
}

// change is one line of output.
type change struct {
	Time   time.Time `json:"time"`
	Switch string    `json:"switch,omitempty"`
	From   string    `json:"from,omitempty"`
	To     string    `json:"to,omitempty"`
	Reason string    `json:"reason,omitempty"`
	// Held is set if Switch is.
	Held *bool `json:"held,omitempty"`
	// Running is set if the bridge itself started or stopped.
	Running *bool `json:"running,omitempty"`
	// Omitted is how many changes are left out here, because the reader paused for
	// too long.
	Omitted int `json:"omitted,omitempty"`
}

// follower turns successive states into changes.
type follower struct {
	report    func(change)
	positions map[string]string
	heard     bool
	running   bool
}

func (f *follower) news(state client.State, err error) {
	running := err == nil
	now := time.Now()
	if running != f.running || !f.heard {
		f.report(change{Time: now, Running: &running})
	}
	f.running, f.heard = running, true
	for _, name := range observers.Table().Names() {
		position, known := state.Positions[client.PropertyOf(name)]
		if !known || position == f.positions[name] || position == client.Off {
			continue
		}
		_, held := state.Overrides[name]
		f.report(change{Time: now, Switch: name, From: f.positions[name], To: position, Reason: state.Facts[name+".reason"], Held: &held})
		f.positions[name] = position
	}
}

func printJSON(w io.Writer) func(change) error {
	encoder := json.NewEncoder(w)
	return func(c change) error { return encoder.Encode(c) }
}

func printWords(w io.Writer) func(change) error {
	style := terminal.StyleOf(w)
	width := len(slices.MaxFunc(observers.Table().Names(), func(a, b string) int { return len(a) - len(b) }))
	return func(c change) error {
		clock := style.Dim(c.Time.Format("15:04:05.000"))
		if c.Running != nil {
			words := "nm-session-bridge is running"
			if !*c.Running {
				words = style.Warn("nm-session-bridge is not running")
			}
			_, err := fmt.Fprintf(w, "%s  %s\n", clock, words)
			return err
		}
		if c.Omitted > 0 {
			_, err := fmt.Fprintf(w, "%s  %s\n", clock, style.Warn(fmt.Sprintf("%d changes are left out; nobody read them in time", c.Omitted)))
			return err
		}
		reason := ""
		if c.Reason != "" {
			reason = "  " + abbrev.Text(c.Reason)
		}
		from := ""
		if c.From != "" {
			from = abbrev.Words(c.From) + " → "
		}
		_, err := fmt.Fprintf(w, "%s  %-*s  %s%s%s\n", clock, width, c.Switch, from, style.Bold(abbrev.Words(c.To)), reason)
		return err
	}
}
