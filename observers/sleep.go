package observers

// sleep reads the sleep switch. What logind says counts at once, because the
// machine does not wait. Whether a machine that is awake has woken from a sleep is
// not read but remembered, in the present position.
func sleep(policy Policy) Follower {
	return func(snapshot Snapshot, present Present) Reading {
		facts := snapshot[logind]
		awake := "awake"
		if present.Position == "woken" {
			awake = present.Position
		}
		reading := operation(policy, facts, "PreparingForSleep", awake, "asleep")
		if reading.Position == "asleep" {
			// logind may not report that the machine woke up, so each
			// PrepareForSleep counts.
			reading.Request = facts.Request(prepareForSleep)
		}
		return reading
	}
}

// operation reads whether logind is about to begin an operation.
func operation(policy Policy, facts Facts, property, before, during string) Reading {
	preparing, known := facts.Bool(property)
	switch {
	case facts.Problem != "":
		return Reading{Position: before, Reason: facts.Problem, Grace: policy.GoneGrace}
	case !known:
		return Reading{Position: before, Reason: "logind does not report " + property, Grace: policy.GoneGrace}
	case preparing:
		return Reading{Position: during, Reason: property + "=true", Urgent: true}
	}
	return Reading{Position: before, Reason: property + "=false", Urgent: true}
}
