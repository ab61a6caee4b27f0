package chaos

// Endings returns plans, named by what happens to the bridge, logind, the
// buses or the user manager just before or just after the last session ends.
// Each plan has a round for each position of the lock and each way to get
// there, and lets the session end.
func Endings() map[string]Plan {
	locks := []Plan{
		nil, // as a session begins
		{{{Fault: "lock", Arg: "lock"}}},
		{{{Fault: "locked-hint", Arg: "locked"}}},
		{{{Fault: "sleep"}}, {{Fault: "wake"}}},
		{{{Fault: "start-target", Arg: "lock.target"}}},
		{{{Fault: "stop-target", Arg: "unlock.target"}}},
		{{{Fault: "start-target", Arg: "lock.target"}, {Fault: "bridge-kill"}}},
		{{{Fault: "stop-target", Arg: "unlock.target"}, {Fault: "bridge-kill"}}},
	}
	plans := map[string]Plan{}
	for _, befalls := range []Step{
		{Fault: "bridge-kill"},
		{Fault: "bridge-freeze", Arg: "1s"},
		{Fault: "bridge-reload"},
		{Fault: "bridge-upgrade"},
		{Fault: "logind-restart", Arg: "100ms"},
		{Fault: "logind-hangs", Arg: "1s"},
		{Fault: "session-bus-kill"},
		{Fault: "system-bus-kill", Arg: "100ms"},
		{Fault: "manager-freeze", Arg: "300ms"},
		{Fault: "reexec"},
	} {
		ends := Step{Fault: "session-ends", Arg: "oldest"}
		var plan Plan
		for _, lock := range locks {
			for _, end := range [][]Step{{befalls, ends}, {ends, befalls}} {
				plan = append(append(plan, lock...), end, []Step{{Fault: "session-begins", Arg: graphical}})
			}
		}
		plans[befalls.Fault] = plan
	}
	return plans
}
