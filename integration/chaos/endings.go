package chaos

// Endings returns a plan with every way in which the last session may end, one round for each. The
// ways differ in what put the lock into its position, and in what happens to the bridge, logind,
// the buses or the user manager just before or just after the end.
func Endings() Plan {
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
	var plan Plan
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
		for _, lock := range locks {
			for _, end := range [][]Step{
				{befalls, {Fault: "session-ends"}},
				{{Fault: "session-ends"}, befalls},
			} {
				plan = append(plan, []Step{{Fault: "session-begins"}})
				plan = append(append(plan, lock...), end)
			}
		}
	}
	return plan
}
