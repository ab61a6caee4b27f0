package observers

import "time"

// memory remembers what a NetworkManager has had up since its start. A restarted
// NetworkManager finds again, one by one, connections that were never down. So
// the news that something is missing waits, unless this NetworkManager had it up.
// What is up never waits.
type memory struct {
	owner string
	had   map[string]bool
}

// note remembers what is up now.
func (m *memory) note(facts Facts, names ...string) {
	if facts.Owner != m.owner || m.had == nil {
		*m = memory{owner: facts.Owner, had: map[string]bool{}}
	}
	for _, name := range names {
		m.had[name] = true
	}
}

// grace returns how long the news that something is missing waits.
func (m *memory) grace(policy Policy, facts Facts, name string) time.Duration {
	startup, _ := facts.Bool("Startup")
	if facts.Problem != "" || startup && !m.had[name] {
		return policy.GoneGrace
	}
	return 0
}

// whileStarting adds to a reason that NetworkManager is starting.
func whileStarting(facts Facts, reason string) string {
	if startup, _ := facts.Bool("Startup"); startup {
		return reason + " Startup=true"
	}
	return reason
}
