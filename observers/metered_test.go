package observers

import (
	"testing"
	"time"

	nm "github.com/Wifx/gonetworkmanager/v2"
)

func TestMetered(t *testing.T) {
	const global, disconnected = nm.NmStateConnectedGlobal, nm.NmStateDisconnected
	facts := func(metered nm.NmMetered, state nm.NmState, startup bool) Facts {
		return Facts{values: map[string]any{"Metered": uint32(metered), "State": uint32(state), "Startup": startup}}
	}
	grace := policy().GoneGrace
	for _, test := range []struct {
		name     string
		facts    Facts
		position string
		after    time.Duration
	}{
		{"yes", facts(nm.NmMeteredYes, global, false), "metered", 0},
		{"guessed", facts(nm.NmMeteredGuessYes, global, false), "metered", 0},
		{"no", facts(nm.NmMeteredNo, global, false), "unmetered", 0},
		{"guessed not", facts(nm.NmMeteredGuessNo, global, false), "unmetered", 0},
		{"not known", facts(nm.NmMeteredUnknown, global, false), Unknown, 0},
		{"offline", facts(nm.NmMeteredGuessNo, disconnected, false), Unknown, 0},
		{"starting up", facts(nm.NmMeteredUnknown, disconnected, true), Unknown, grace},
		{"away", Facts{Problem: "NetworkManager is not running"}, Unknown, grace},
		{"says nothing", Facts{}, Unknown, grace},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := metered(policy(), Snapshot{networkManager: test.facts})
			if got.Position != test.position || got.Grace != test.after {
				t.Errorf("got %+v", got)
			}
		})
	}
}
