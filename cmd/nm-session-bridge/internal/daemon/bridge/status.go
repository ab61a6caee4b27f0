package bridge

import (
	"strings"
	"unicode"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Announce logs the positions that a new bridge begins with.
func (b *Bridge) Announce() {
	positions := make([]any, 0, 2*len(b.switches))
	for _, s := range b.switches {
		positions = append(positions, s.Name, observers.InWords(s.position))
	}
	b.log.Info("observing", positions...)
}

// longestStatus is the most bytes that the status spends on each switch. The
// service manager ignores messages of more than 4096 bytes (NOTIFY_BUFFER_MAX in
// systemd's src/core/manager.c).
const longestStatus = 300

// Status returns the present positions in words, in one line.
func (b *Bridge) Status() string {
	words := make([]string, 0, len(b.switches))
	for _, s := range b.switches {
		words = append(words, oneLine(s.status(b.states)))
	}
	return strings.Join(words, ", ")
}

// oneLine returns words that fit into the status.
func oneLine(words string) string {
	words = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, words)
	if len(words) <= longestStatus {
		return words
	}
	return strings.ToValidUTF8(words[:longestStatus], "") + "…"
}

func (s *switchState) status(states TargetStates) string {
	words := s.Name + " " + observers.InWords(s.position)
	if _, problem := states.Progress(s.Targets(s.position)); s.known && problem != "" {
		return words + " (" + problem + ")"
	}
	switch doubt := s.doubt(); {
	case s.heldIn != nil:
		words += " (" + client.HeldByHand + ")"
	case doubt != "":
		words += " (in doubt: " + doubt + ")"
	case s.position == observers.Unknown && s.reason != "":
		words += " (" + s.reason + ")"
	case s.origin.Source != "":
		words += " (" + s.origin.Source + ")"
	}
	return words
}

// doubt returns why the position may soon change, or "".
func (s *switchState) doubt() string {
	if s.damper.Pending() == nil || s.position == observers.Unknown {
		return ""
	}
	return s.reason
}

// why returns the reason for the switch's position. If the switch has had its
// position from the beginning, or has none yet, that is the present reading.
func (s *switchState) why() string {
	if s.cause == "" && s.heldIn == nil && s.doubt() == "" {
		return s.reason
	}
	return s.cause
}
