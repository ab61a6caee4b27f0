package scenes

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const (
	locked   = "lock.target"
	unlocked = "unlock.target"

	// lockerUnit is a screen locker as users of systemd-lock-handler write it: it forks
	// once the screen is locked, and its end unlocks. Once it has locked, it records how
	// often the laptop has slept.
	lockerUnit = `[Unit]
OnSuccess=unlock.target
PartOf=lock.target
After=lock.target

[Service]
Type=forking
ExecStart=/bin/sh -c 'sleep 2; cat /sys/power/suspend_stats/success >>%h/locked; while ! [ -e %h/password ]; do sleep 0.1; done & :'
ExecStopPost=/bin/rm -f %h/password

[Install]
WantedBy=lock.target
`
)

// lock waits until exactly the given ones of the lock's targets are active.
func (s *scene) lock(targets ...string) {
	s.Helper()
	s.only([]string{locked, unlocked}, targets)
}

// enter logs the user in, through PAM, and returns the session's number. The session
// ends with the unit of that name.
func (s *scene) enter(name string, properties ...string) string {
	s.Helper()
	return s.enterWith("/bin/sleep infinity", name, properties...)
}

// enterWith is like enter, with a program that the session runs.
func (s *scene) enterWith(program, name string, properties ...string) string {
	s.Helper()
	before := s.root("loginctl list-sessions --no-legend")
	s.root("systemd-run --quiet --unit=" + name + " --property=PAMName=login --property=User=" + s.who.name + " " +
		strings.Join(properties, " ") + " " + program)
	s.afterwards("if systemctl --quiet is-active " + name + "; then systemctl stop " + name + "; fi")
	var number string
	s.until("the session is there", func() bool {
		for _, line := range strings.Split(s.root("loginctl list-sessions --no-legend"), "\n") {
			fields := strings.Fields(line)
			if len(fields) > 0 && !strings.Contains(line, "manager") && !strings.Contains(before, line) {
				number = fields[0]
			}
		}
		return number != ""
	})
	return number
}

// atTheSeat are the properties of a login on one of the laptop's own consoles.
func atTheSeat(console string) []string {
	return []string{"--property=TTYPath=/dev/" + console, "--property=StandardInput=tty"}
}

func TestLockOfTheSessionThatIsThere(t *testing.T) {
	s := beginOpen(t)
	s.suspendWithLid("InhibitDelayMaxSec=30\n")
	s.enable(map[string]string{"locker.service": lockerUnit, "unlocked.service": once(unlocked)})
	s.flags("--gone-grace=2s")
	s.install()
	s.sure("lock unknown (the user has no graphical session)")
	s.lock()

	session := s.enter("seat", atTheSeat("tty7")...)
	s.lock(unlocked)
	s.root("loginctl lock-session " + session)
	s.lock(locked)
	s.expect("active", "locker.service")
	s.restartLogind("lock locked")
	s.lock(locked)
	s.user("touch " + home + "/password")
	s.lock(unlocked)
	s.expect("inactive", "locker.service")
	s.root("loginctl lock-session " + session)
	s.lock(locked)
	s.root("loginctl unlock-session " + session)
	s.lock(unlocked)
	// Like a desktop that locks by itself.
	object := logindName + " /org/freedesktop/login1/session/_3" + session + " org.freedesktop.login1.Session "
	hint := func(word string) { s.root("busctl call " + object + "SetLockedHint b " + word) }
	hint("true")
	s.lock(locked)
	s.restartLogind("lock locked")
	if is := s.root("busctl get-property " + object + "LockedHint"); is != "b false" {
		t.Errorf("the new logind remembers the hint: %s", is)
	}
	hint("true")
	s.lock(locked)
	s.expect("active", "locker.service")
	hint("false")
	s.lock(unlocked)

	// Locked before it sleeps, and afterwards.
	s.expect("inactive", "locker.service")
	s.must(os.Remove(home + "/locked"))
	slept := s.slept()
	s.oneLock()
	s.closeToSleep()
	s.lock(locked)
	s.expect("active", "locker.service")
	written, err := os.ReadFile(home + "/locked")
	if err != nil || string(written) != fmt.Sprintln(slept) {
		t.Errorf("the locker wrote %q (%v), but locking before the sleep is to write %d", written, err, slept)
	}

	// The end of a session unlocks nothing. A session over SSH has no screen.
	s.enter("ssh", "--setenv=XDG_SESSION_CLASS=user", "--setenv=XDG_SESSION_TYPE=tty")
	s.lock(locked)
	s.root("systemctl stop seat")
	s.root("systemctl stop ssh")
	s.until("the bridge knows of no session", func() bool {
		text := s.systemctl("show", "--value", "--property=StatusText", bridgeUnit)
		return strings.Contains(text, "lock locked (in doubt: the user has no graphical session)")
	})
	s.lock(locked)
	s.expect("active", "locker.service")
	s.starts(map[string]int{locked: 4, "locker.service": 4, unlocked: 4})
}
