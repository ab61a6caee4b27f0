package profiles

import (
	"context"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// timeout bounds the calls to NetworkManager: during completion, a person waits.
const timeout = 500 * time.Millisecond

// Ask returns the names of the profiles as [Names] does. It uses its own connection and
// takes at most half a second.
func Ask(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	system, err := bus.Connect(ctx, bus.SystemAddress())
	if err != nil {
		return nil, err
	}
	defer system.Close()
	return Names(ctx, system)
}

// Words returns the profiles in the form that positions use, or none if NetworkManager
// does not answer.
func Words(ctx context.Context) []string {
	var words []string
	names, _ := Ask(ctx) // a part is better than none
	for _, name := range names {
		words = append(words, observers.Word(observers.Escape(name)))
	}
	return words
}
