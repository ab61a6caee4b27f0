package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// askTimeout bounds the calls to the services of one bus: a person waits.
const askTimeout = 5 * time.Second

// Look reads the states of the switches, targets and units. Anything that it cannot read
// becomes a problem in the report.
func Look(ctx context.Context) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*askTimeout)
	defer cancel()
	session, err := bus.ConnectSession(ctx)
	if err != nil {
		return Report{}, err
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
	report := Make(switches, state, facts, targets)
	report.Problems = problems
	return report, nil
}

// readFacts asks the services on the system bus for the facts, as a running bridge does.
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
		filter := observers.NewFilter(source)
		service, err := system.Follow(ctx, source.Name, filter, source.Matches()...)
		if err != nil {
			return nil, err
		}
		go observers.New(filter, service, service, slog.New(slog.DiscardHandler)).Run(ctx, heard)
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
