package observers

import "time"

const (
	logindName = "org.freedesktop.login1"
	logindPath = "/org/freedesktop/login1"

	// logind is what the source is known by.
	logind = "logind"
)

// Logind is the source of what systemd-logind says of the machine.
//
// LidClosed is signalled by systemd 256 and newer, and by 255 since 255.3
// (https://github.com/systemd/systemd/pull/30706); whether this one does is read
// from its introspection data, for distributions patch.
func Logind() Source {
	return Source{
		ID:        logind,
		Name:      logindName,
		Label:     "logind",
		Path:      logindPath,
		Interface: logindName + ".Manager",
		Properties: map[string]string{
			"LidClosed":           "b",
			"PreparingForSleep":   "b",
			"InhibitDelayMaxUSec": "t", // microseconds
			"OnExternalPower":     "b",
		},
		// No logind signals OnExternalPower so far.
		PollIfSilent: map[string]Need{"LidClosed": PolledOften, "OnExternalPower": Polled},
		// The lid may be the reason for the sleep, and is signalled only later.
		RereadOn: "PrepareForSleep",
		// With the lid closed, logind 257 first signals LidClosed=false and true
		// only 14 ms later, some 100 ms after its start.
		Settling: 500 * time.Millisecond,
	}
}

// sleep reads the position of the sleep switch. It never waits: the machine
// does not.
func sleep(policy Policy) Reader {
	return func(snapshot Snapshot) Reading {
		facts := snapshot[logind]
		preparing, known := facts.Bool("PreparingForSleep")
		switch {
		case facts.Problem != "":
			return Reading{Position: "awake", Reason: facts.Problem, Grace: policy.GoneGrace}
		case !known:
			return Reading{Position: "awake", Reason: "logind does not tell PreparingForSleep", Grace: policy.GoneGrace}
		case preparing:
			return Reading{Position: "asleep", Reason: "PreparingForSleep=true", Urgent: true}
		}
		return Reading{Position: "awake", Reason: "PreparingForSleep=false", Urgent: true}
	}
}
