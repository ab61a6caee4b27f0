package observers

import (
	"os"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	logindName = "org.freedesktop.login1"
	logindPath = "/org/freedesktop/login1"

	// logind and session are the IDs of the sources.
	logind  = "logind"
	session = "session"

	// saidLast is what Lock, Unlock or a change of LockedHint said last.
	saidLast = "Locked"
)

// Logind is the source for what systemd-logind says about the machine.
//
// LidClosed is signalled by systemd 256 and newer, and by 255 since 255.3
// (https://github.com/systemd/systemd/pull/30706). Whether this logind does so is
// read from its introspection data, because distributions patch.
func Logind() Source {
	return Source{
		ID:    logind,
		Name:  logindName,
		Label: "logind",
		Root: Kind{
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
		},
		// With the lid closed, logind 257 first signals LidClosed=false, and true
		// only 14 ms later, some 100 ms after its start.
		Settling: 500 * time.Millisecond,
	}
}

// Session is the source for what logind says about the user's display session.
// The bridge itself runs in no session. logind elects the one that is to be
// controlled, never one of the user manager
// (https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.login1.html,
// User Objects, Display).
func Session() Source {
	return Source{
		ID:    session,
		Name:  logindName,
		Label: "logind",
		Root: Kind{
			Path:      dbus.ObjectPath(logindPath + "/user/_" + strconv.Itoa(os.Getuid())),
			Interface: logindName + ".User",
			Links: []Link{{
				Property: "Display",
				// 252 and 257 signal the session that has just ended once more.
				Premature: true,
				Kind: Kind{
					Path:       logindPath + "/session",
					Interface:  logindName + ".Session",
					Properties: map[string]string{"LockedHint": "b"},
					Latest:     &Latest{Name: saidLast, Signals: map[string]bool{"Lock": true, "Unlock": false}, Property: "LockedHint", Request: "Lock"},
				},
			}},
		},
		// A user manager may run for a user that logind knows nothing of.
		Transient: true,
	}
}
