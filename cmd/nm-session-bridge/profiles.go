package main

import (
	"context"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/profiles"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// profilesTimeout bounds what is asked of NetworkManager for a word's sake:
// somebody waits, in completion with a finger on the key.
const profilesTimeout = 500 * time.Millisecond

// profileNames returns the names of NetworkManager's profiles, with an error
// where it does not tell, or not of all.
func profileNames() ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), profilesTimeout)
	defer cancel()
	system, err := dbus.Connect(bus.SystemAddress(), dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer system.Close()
	return profiles.Names(ctx, system)
}

// profileWords returns the profiles as positions have them; none where
// NetworkManager does not tell.
func profileWords() []string {
	var words []string
	names, _ := profileNames() // some are better than none
	for _, name := range names {
		words = append(words, observers.Word(observers.Escape(name)))
	}
	return words
}
