package profiles

import (
	"context"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// timeout bounds what is asked of NetworkManager for a word's sake: somebody
// waits, in completion with a finger on the key.
const timeout = 500 * time.Millisecond

// Ask returns the names of the profiles as [Names] does, over a connection of its own, within half a second.
func Ask(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	system, err := dbus.Connect(bus.SystemAddress(), dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer system.Close()
	return Names(ctx, system)
}

// Words returns the profiles as positions have them; none where
// NetworkManager does not tell.
func Words(ctx context.Context) []string {
	var words []string
	names, _ := Ask(ctx) // some are better than none
	for _, name := range names {
		words = append(words, observers.Word(observers.Escape(name)))
	}
	return words
}
