package observers

import "time"

// memory remembers what a NetworkManager has had up since it was started. A
// restarted one finds again, one by one, what has never been down. So what is
// missing may wait for that, but only what it has not had up; what is there never
// waits.
type memory struct {
	owner string
	had   map[string]bool
}

// note notes what is up now.
func (m *memory) note(facts Facts, names ...string) {
	if facts.Owner != m.owner || m.had == nil {
		*m = memory{owner: facts.Owner, had: map[string]bool{}}
	}
	for _, name := range names {
		m.had[name] = true
	}
}

// grace is how long the news waits that something is missing.
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
