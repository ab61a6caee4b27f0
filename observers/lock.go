package observers

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// session is what the source is known by.
	session = "session"

	// saidLast is what Lock, Unlock or a change of LockedHint said last.
	saidLast = "Locked"

	// unproven is how long a screen counts as locked that nothing says is
	// locked, and nothing says was unlocked: for as long as any program runs.
	unproven = 10 * 365 * 24 * time.Hour
)

// Session is the source of what logind says of the user's display session. The
// bridge itself runs in no session; logind elects the one to be controlled, and
// leaves out those of the user manager
// (https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.login1.html,
// User Objects, Display).
func Session() Source {
	return Source{
		ID:        session,
		Name:      logindName,
		Label:     "logind",
		Path:      dbus.ObjectPath(logindPath + "/user/_" + strconv.Itoa(os.Getuid())),
		Interface: logindName + ".User",
		// A user manager may run for a user that logind knows nothing of.
		Transient: true,
		Children: &Children{
			Property: "Display",
			// 252 and 257 signal the session that has just ended once more.
			Premature:  true,
			Below:      logindPath + "/session",
			Interface:  logindName + ".Session",
			Properties: map[string]string{"LockedHint": "b"},
			Latest:     &Latest{Name: saidLast, Signals: map[string]bool{"Lock": true, "Unlock": false}, Property: "LockedHint", Request: "Lock"},
		},
	}
}

// lock reads whether the screen is locked. A Lock is only a request; but lockers
// that are units begin with it, and many never tell logind by LockedHint.
func lock(policy Policy) Reader {
	var last dbus.ObjectPath // the session that was read last; / if there was none before
	return func(snapshot Snapshot) Reading {
		facts := snapshot[session]
		if facts.Problem != "" {
			// Nobody unlocks while logind is away, however long, and stopping
			// lock.target would end the locker.
			return Reading{Reason: facts.Problem, Grace: unproven}
		}
		if len(facts.Children()) == 0 {
			reading := Reading{Reason: "the user has no display session", Grace: policy.GoneGrace}
			if last == "" || last == "/" {
				// A sleep locks also a screen of which logind knows no session.
				last, reading.GraceOnlyFrom, reading.Grace = "/", "locked", unproven
			}
			return reading
		}
		display := facts.Children()[0]
		isAnother := last != "" && display.Path != last
		last = display.Path
		hint, known := display.Bool("LockedHint")
		said, hasSaid := display.Bool(saidLast)
		switch {
		case hasSaid:
			reading := lockReading(said, fmt.Sprintf("Locked=%t LockedHint=%t", said, hint))
			reading.Request = display.Request()
			return reading
		case !known:
			return Reading{Reason: "logind does not tell LockedHint", Grace: policy.GoneGrace}
		}
		reading := lockReading(hint, fmt.Sprintf("LockedHint=%t", hint))
		if !hint && !isAnother {
			// Stopping lock.target would end a locker that does not set it.
			reading.GraceOnlyFrom, reading.Grace = "locked", unproven
		}
		return reading
	}
}

func lockReading(locked bool, reason string) Reading {
	if locked {
		return Reading{Position: "locked", Reason: reason, Urgent: true}
	}
	return Reading{Position: "unlocked", Reason: reason, Urgent: true}
}
