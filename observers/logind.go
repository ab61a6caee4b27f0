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

	// logind, session and idleness are the IDs of the sources.
	logind   = "logind"
	session  = "session"
	idleness = "idleness"

	// saidLast is what Lock, Unlock or a change of LockedHint said last.
	saidLast = "Locked"

	// prepareForSleep and lockSignal are signals that request something.
	prepareForSleep = "PrepareForSleep"
	lockSignal      = "Lock"
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
				"LidClosed":            "b",
				"PreparingForSleep":    "b",
				"PreparingForShutdown": "b",
				"InhibitDelayMaxUSec":  "t", // microseconds
				"OnExternalPower":      "b",
			},
			// So far, no logind signals OnExternalPower.
			PollIfSilent: map[string]Need{"LidClosed": PolledOften, "OnExternalPower": Polled},
			// The lid may be the reason for the sleep, and logind signals it only later.
			RereadOn: []string{prepareForSleep, "PrepareForShutdown"},
		},
		// With the lid closed, logind 257 first signals LidClosed=false, and true
		// only 14 ms later, some 100 ms after its start.
		Settling: 500 * time.Millisecond,
	}
}

// Session is the source for whether the user's sessions are locked.
func Session() Source {
	return hints(session, "LockedHint",
		&Latest{Name: saidLast, Signals: map[string]bool{lockSignal: true, "Unlock": false}, Property: "LockedHint", Request: lockSignal})
}

// Idleness is the source for whether the user's sessions are idle. It is separate from
// [Session], so that each is read only for the switch that needs it.
func Idleness() Source { return hints(idleness, "IdleHint", nil) }

// hints returns a source for a hint of each of the user's sessions. The bridge itself runs
// in no session.
//
// Display, logind's choice among them, does not show which sessions have a screen: it may
// be a login over SSH, and it does not change when a text session becomes graphical (seen
// with 257).
func hints(id, hint string, latest *Latest) Source {
	return Source{
		ID:    id,
		Name:  logindName,
		Label: "logind",
		Root: Kind{
			Path:      dbus.ObjectPath(logindPath + "/user/_" + strconv.Itoa(os.Getuid())),
			Interface: logindName + ".User",
			Links: []Link{{
				Property: "Sessions",
				// logind signals Display whenever a session begins or has ended, whether it
				// has changed or not, and Sessions never (session_start and
				// session_finalize in systemd's src/login/logind-session.c).
				SignalledBy: "Display",
				AnnouncedBy: &Announcement{logindPath, logindName + ".Manager", "SessionNew"},
				Kind: Kind{
					Path:       logindPath + "/session",
					Interface:  logindName + ".Session",
					Properties: map[string]string{"Id": "s", "Type": "s", "Class": "s", "State": "s", "Seat": "(so)", hint: "b"},
					Latest:     latest,
				},
			}},
		},
		// A user manager may run for a user that logind does not know.
		Transient: true,
	}
}
