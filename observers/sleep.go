package observers

// sleep reads the sleep switch. What logind says counts at once, because the
// machine does not wait.
func sleep(policy Policy, snapshot Snapshot) Reading {
	facts := snapshot[logind]
	preparing, known := facts.Bool("PreparingForSleep")
	switch {
	case facts.Problem != "":
		return Reading{Position: "awake", Reason: facts.Problem, Grace: policy.GoneGrace}
	case !known:
		return Reading{Position: "awake", Reason: "logind does not report PreparingForSleep", Grace: policy.GoneGrace}
	case preparing:
		// Waking up may go without a word, so that each PrepareForSleep counts.
		return Reading{Position: "asleep", Reason: "PreparingForSleep=true", Urgent: true, Request: facts.Request()}
	}
	return Reading{Position: "awake", Reason: "PreparingForSleep=false", Urgent: true}
}
