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

	// unproven is how long a screen counts as locked, or as unlocked, of which
	// nothing says that it is or no longer is: for as long as any program runs.
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
func lock() func(World) Reading {
	var last dbus.ObjectPath // the session that was read last; / if there was none before
	return func(world World) Reading {
		facts := world[session]
		if facts.Problem != "" {
			return untold(facts.Problem)
		}
		if len(facts.Children()) == 0 {
			if last == "" {
				last = "/"
			}
			return untold("the user has no display session")
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
			return untold("logind does not tell LockedHint")
		}
		reading := lockReading(hint, fmt.Sprintf("LockedHint=%t", hint))
		if !hint && !isAnother {
			// Stopping lock.target would end a locker that does not set it.
			reading.Doubts, reading.After = "locked", unproven
		}
		return reading
	}
}

// untold reads nothing. The lock stays as it is, however long: nobody unlocks by
// saying nothing or by going, and stopping lock.target would end the locker.
func untold(why string) Reading {
	return Reading{Reason: why, Doubts: Any, After: unproven}
}

func lockReading(locked bool, reason string) Reading {
	if locked {
		return Reading{Position: "locked", Reason: reason, Urgent: true}
	}
	return Reading{Position: "unlocked", Reason: reason, Urgent: true}
}
