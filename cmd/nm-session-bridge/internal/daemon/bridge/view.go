package bridge

import (
	"maps"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// View is what the bridge says about itself at one moment.
type View struct {
	// Positions are in words, by switch.
	Positions map[string]string
	// Facts are raw values by name: what the services said, such as
	// NetworkManager.Connectivity, and what is known about a switch, such as
	// internet.reason.
	Facts map[string]string
	// Held are the positions that switches are held in by hand, by switch.
	Held map[string]string
}

// View returns the present view. It shares nothing with the bridge.
func (b *Bridge) View() View {
	view := View{Positions: map[string]string{}, Facts: map[string]string{}, Held: b.Held()}
	for _, s := range b.switches {
		view.Positions[s.Name] = observers.InWords(s.position)
		for _, source := range s.Sources {
			maps.Copy(view.Facts, source.Describe(b.snapshot[source.ID]))
		}
		for what, fact := range map[string]string{
			"reason": s.why(),
			"reads":  s.reason,
			"doubt":  s.doubt(),
			"source": s.origin.Source,
		} {
			if fact != "" {
				view.Facts[s.Name+"."+what] = fact
			}
		}
		if !s.since.IsZero() {
			view.Facts[s.Name+".since"] = s.since.Format(time.RFC3339)
		}
	}
	return view
}
