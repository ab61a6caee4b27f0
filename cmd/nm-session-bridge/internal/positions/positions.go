// Package positions holds switches in positions by hand, and knows which positions a
// person can choose.
package positions

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/profiles"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Automatic is the word that lets a switch follow the facts again.
const Automatic = "auto"

// timeout bounds the calls to the bridge: a person waits.
const timeout = 5 * time.Second

// Set makes the running bridge hold a switch in a position, or let it follow the facts
// again. It returns a sentence on the result, and another if something about it is odd.
func Set(ctx context.Context, name, position string) (now, odd string, err error) {
	asked, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	session, err := bus.ConnectSession(asked)
	if err != nil {
		return "", "", err
	}
	defer session.Close()
	running := client.New(session)
	if position == Automatic {
		now = name + " follows the facts"
		err = running.Release(asked, name)
	} else {
		err = running.Hold(asked, name, position)
		now = name + " is held " + asWritten(name, position) + " by hand"
	}
	if err != nil {
		return "", "", err
	}
	return now, doubt(ctx, name, position), nil
}

// asWritten returns a position as the bridge writes it.
func asWritten(name, position string) string {
	s, _ := observers.Table().Named(name)
	if canonical, err := s.Canonical(position); err == nil {
		return canonical
	}
	return position
}

// doubt says what is odd about a position, if anything: it may name a profile that does
// not exist yet.
func doubt(ctx context.Context, name, position string) string {
	if s, _ := observers.Table().Named(name); !s.HasTemplate() || position == Automatic || position == observers.None {
		return ""
	}
	names, err := profiles.Ask(ctx)
	if err != nil {
		return "" // nobody knows
	}
	instances := observers.Instances(position)
	if slices.Contains(names, position) {
		instances = []string{position} // a name with blanks
	}
	var doubts []string
	for _, instance := range instances {
		if words, meant := profiles.Meant(instance, names); words != "" {
			doubts = append(doubts, words+meant)
		}
	}
	return strings.Join(doubts, "; ")
}

// Words returns the words that [Set] accepts for a switch, or none if there is no such
// switch.
func Words(ctx context.Context, name string) []string {
	existing := Existing(ctx, name)
	if len(existing) == 0 {
		return nil
	}
	return append([]string{Automatic}, existing...)
}

// Existing returns the positions of a switch, or none if there is no such switch. The
// positions of a set are none and NetworkManager's profiles.
func Existing(ctx context.Context, name string) []string {
	s, exists := observers.Table().Named(name)
	if !exists || !s.HasTemplate() {
		return s.PositionNames()
	}
	words := []string{observers.None}
	for _, word := range profiles.Words(ctx) {
		if _, err := s.Canonical(word); err == nil { // the other names are too long for a unit
			words = append(words, word)
		}
	}
	return words
}
