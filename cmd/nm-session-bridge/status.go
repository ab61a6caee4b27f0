package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/status"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// askTimeout bounds what a command asks of a service. A person waits.
const askTimeout = 5 * time.Second

func newStatus() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show every switch, its targets, and what is bound to them",
		Long: `Show every switch, its targets, and what is bound to them. It also works while
nm-session-bridge does not run; it says so and exits with 3. The fields of --json
are in nm-session-bridge(1).`,
		Example: `  # how things stand, and why
  nm-session-bridge status
  # one position, for a script
  nm-session-bridge status --json | jq -r '.switches[] | select(.name == "internet").position'`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return showStatus(cmd.Context(), cmd.OutOrStdout(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showStatus(ctx context.Context, stdout io.Writer, asJSON bool) error {
	report, err := look(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(report); err != nil {
			return err
		}
	} else {
		report.Print(stdout, time.Now(), callName(), status.StyleOf(stdout))
	}
	if !report.Running {
		return exitStatus(notRunning)
	}
	return nil
}

// look finds out how things stand, as far as it can.
func look(ctx context.Context) (status.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*askTimeout)
	defer cancel()
	session, err := dialSession(ctx)
	if err != nil {
		return status.Report{}, err
	}
	defer session.Close()
	switches := observers.Table()
	var state *client.State
	var facts map[string]string
	var problems []string
	answer, err := client.New(session).State(ctx)
	switch {
	case err == nil:
		state = &answer
	case errors.Is(err, client.ErrNotRunning):
		if facts, err = readFacts(ctx, switches); err != nil {
			problems = append(problems, err.Error())
		}
	default:
		problems = append(problems, err.Error())
	}
	targets, err := systemdctl.Inspect(ctx, session, switches)
	if err != nil {
		problems = append(problems, err.Error())
	}
	report := status.Make(switches, state, facts, targets)
	report.Problems = problems
	return report, nil
}

// dialSession connects to the session bus for the time of a command.
func dialSession(ctx context.Context) (*dbus.Conn, error) {
	address, err := bus.SessionAddress()
	if err != nil {
		return nil, err
	}
	conn, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("cannot reach the session bus at %s: %w; run this in a login session", address, err)
	}
	return conn, nil
}

// readFacts reads the services that switches are read from, as a bridge would.
func readFacts(ctx context.Context, switches observers.Switches) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	system, err := bus.Dial(ctx, bus.SystemAddress())
	if err != nil {
		return nil, fmt.Errorf("cannot reach the system bus: %w", err)
	}
	defer system.Close()
	sources := switches.Sources()
	heard := make(chan observers.Facts)
	for _, source := range sources {
		service, err := system.Follow(ctx, source.Name, source.Matches()...)
		if err != nil {
			return nil, err
		}
		go observers.New(source, service, service, slog.New(slog.DiscardHandler)).Run(ctx, heard)
	}
	facts := map[string]string{}
	for range sources {
		select {
		case f := <-heard:
			for _, source := range sources {
				if source.ID == f.Source {
					maps.Copy(facts, source.Describe(f))
				}
			}
		case <-ctx.Done():
			return facts, errors.New("not every service of the system bus answers")
		}
	}
	return facts, nil
}
