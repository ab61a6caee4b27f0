package integration

import (
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// typed is how a locker of a test waits for the password: it ends once the file
// is there.
const typed = "until [ -e %h/typed ]; do sleep 0.02; done; rm -f %h/typed"

// lockers are units as their users write them.
var lockers = map[string]string{
	"of systemd-lock-handler": "[Unit]\nOnSuccess=unlock.target\nPartOf=lock.target\nBefore=lock.target\n" +
		"[Service]\nType=forking\nExecStart=/bin/sh -c '(" + typed + ") & :'\nRestart=on-failure\nRestartSec=0\n[Install]\nWantedBy=lock.target\n",
	"of its fork": "[Unit]\nOnSuccess=unlock.target\nPartOf=lock.target\nAfter=lock.target\n" +
		"[Service]\nType=forking\nExecStart=/bin/sh -c '(" + typed + ") & :'\nRestart=on-failure\nRestartSec=0\n[Install]\nWantedBy=lock.target\n",
	"notify": "[Unit]\nPartOf=lock.target\n" +
		"[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'systemd-notify --ready; " + typed + "'\nRestart=on-failure\nRestartSec=0\n[Install]\nWantedBy=lock.target\n",
	"simple": "[Unit]\nPartOf=lock.target\n" +
		"[Service]\nExecStart=/bin/sh -c '" + typed + "'\nRestart=on-failure\nRestartSec=0\n[Install]\nWantedBy=lock.target\n",
	// Its ExecStopPost= runs after a crash, too.
	"that sends Unlock": "[Unit]\nPartOf=lock.target\nRequisite=graphical-session.target\nAfter=graphical-session.target\n" +
		"[Service]\nExecStart=/bin/sh -c '" + typed + "'\nExecStopPost=loginctl unlock-session 1\nRestart=on-failure\nRestartSec=0\n[Install]\nWantedBy=lock.target\n",
	"that sets LockedHint": "[Unit]\nPartOf=lock.target\n" +
		"[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c '" + hint + "true; systemd-notify --ready; " + typed + "; " + hint + "false'\nRestart=on-failure\nRestartSec=0\n[Install]\nWantedBy=lock.target\n",
}

// hint sets LockedHint, as lockers of desktops do.
const hint = "busctl call org.freedesktop.login1 /org/freedesktop/login1/session/_31 org.freedesktop.login1.Session SetLockedHint b "

func TestLockersAsTheirUsersWriteThem(t *testing.T) {
	for name, unit := range lockers {
		t.Run(name, func(t *testing.T) {
			s := begin(t, sandbox.Options{})
			s.beginGraphicalSession()
			s.enable("locker.service", unit)
			s.install()
			s.lock("unlocked")
			s.askFor("locked")
			s.expect("active", "locker.service")
			s.write(sandbox.Home+"/typed", "")
			s.expect("inactive", "locker.service")
			s.lock("unlocked")
			s.started("locker.service", 1)

			s.askFor("locked")
			s.expect("active", "locker.service")
			s.askFor("unlocked")
			s.expect("inactive", "locker.service")
			s.started("locker.service", 2)

			s.fallAsleep()
			s.expect("active", "locker.service", "lock.target")
			s.must(s.Login1.PrepareForSleep(false))
			s.expect("inactive", "sleep.target")
			s.locks(1)
			s.lock("locked")
			s.fallAsleep() // while locked
			s.wakeUp()
			s.lock("locked")
			s.started("locker.service", 3)

			s.systemctl("kill", "-s", "SEGV", "locker.service")
			s.started("locker.service", 4) // by its Restart=
			s.expect("active", "locker.service")
			s.settle()
			s.lock("locked")
			s.write(sandbox.Home+"/typed", "")
			s.lock("unlocked")
			s.started("locker.service", 4)
			s.neverBoth("lock.target", "unlock.target")
		})
	}
}

// beginGraphicalSession starts graphical-session.target as a desktop does, which may
// not be started by hand.
func (s *scene) beginGraphicalSession() {
	s.Helper()
	s.write("desktop.target", "[Unit]\nBindsTo=graphical-session.target\nBefore=graphical-session.target\n")
	s.systemctl("daemon-reload")
	s.systemctl("start", "desktop.target")
}

// At a logout the locker is stopped, the session ends, and so does everything else.
func TestALogoutUnlocksNothingAndPassesInSilence(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.beginGraphicalSession()
	s.enable("locker.service", "[Unit]\nPartOf=lock.target graphical-session.target\nAfter=graphical-session.target\n"+
		"[Service]\nExecStart=/bin/sh -c '"+typed+"'\nRestart=on-failure\nRestartSec=0\n[Install]\nWantedBy=lock.target\n")
	s.enable("awake.service", whileUnit("unlock.target"))
	s.install()
	s.lock("unlocked")
	s.askFor("locked")
	s.expect("active", "locker.service")
	s.systemctl("stop", "desktop.target")
	s.expect("inactive", "graphical-session.target", "locker.service")
	s.must(s.Login1.SetSession(sandbox.UID, false))
	s.knows("the user has no graphical session", true)
	s.settle()
	s.lock("locked")
	s.started("locker.service", 1)
	s.started("awake.service", 1)
	s.must(s.User.Stop(s.ctx))
	warnings, err := s.Journal(s.ctx, bridgeWords(), "--priority=warning", "--output=cat")
	s.must(err)
	if log := s.log(); strings.Contains(log, "something else") || warnings != "" {
		t.Errorf("it warns %q and says:\n%s", warnings, log)
	}
}

// lockedBy begins a scene in which the screen is locked by a locker.
func lockedBy(t *testing.T, locker string) *scene {
	t.Helper()
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", locker)
	s.install()
	s.lock("unlocked")
	s.askFor("locked")
	s.expect("active", "locker.service")
	return s
}

// crashes makes the locker crash for the first time, and checks that what it says then
// unlocks nothing.
func (s *scene) crashes() {
	s.Helper()
	s.systemctl("kill", "-s", "SEGV", "locker.service")
	s.expect("failed", "locker.service")
	s.hearsOfCrashes(1)
	s.settle()
	s.lock("locked")
}

// hearsOfCrashes waits until the bridge has heard what lockers have said in a number of
// crashes.
func (s *scene) hearsOfCrashes(count int) {
	s.Helper()
	s.until("what the locker has said was heard", func() bool {
		return strings.Count(s.log(), ignored) == count || s.timeline.Starts("unlock.target") > 1
	})
}

// unlocksLater waits until the crash of a locker is over and Unlock counts again.
func (s *scene) unlocksLater() {
	s.Helper()
	s.until("an Unlock counts", func() bool {
		s.must(s.Login1.AskToLock(false))
		return s.timeline.State("unlock.target") == "active"
	})
	s.lock("unlocked")
}

// systemd treats every end of such a locker as a success, because it cannot tell
// which of several processes is the main one.
func TestALockerWithoutAMainProcessUnlocksNothingByEnding(t *testing.T) {
	s := lockedBy(t, "[Unit]\nPartOf=lock.target\n"+
		"[Service]\nType=forking\nExecStart=/bin/sh -c '("+typed+") & (sleep infinity) & :'\nRestart=on-failure\nRestartSec=0\n[Install]\nWantedBy=lock.target\n")
	s.systemctl("kill", "-s", "SEGV", "locker.service")
	s.expect("inactive", "locker.service")
	if result := s.systemctl("show", "--value", "--property=Result", "locker.service"); result != "success" {
		t.Logf("systemd says %q", result)
	}
	s.waitLog("systemd does not know the main process of locker.service")
	s.settle()
	s.lock("locked")
	s.must(s.Login1.AskToLock(true)) // starts another one
	s.expect("active", "locker.service")
	s.started("locker.service", 2)
	s.askFor("unlocked")
}

// The bridge has not locked the screen itself since it was started.
func TestALockerThatASleepHasStartedUnlocksByEnding(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", lockers["simple"])
	s.install()
	s.lock("unlocked")
	s.fallAsleep()
	s.expect("active", "locker.service", "lock.target")
	s.wakeUp()
	s.lock("locked")
	s.write(sandbox.Home+"/typed", "")
	s.expect("inactive", "locker.service")
	s.lock("unlocked")
	s.started("locker.service", 1)
}

// If nothing has locked the screen, waking up unlocks.
func TestASleepWithoutALockerEndsUnlocked(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("awake.service", whileUnit("unlock.target"))
	s.install()
	s.lock("unlocked")
	for range 2 {
		s.fallAsleep()
		s.expect("active", "lock.target")
		s.must(s.Login1.PrepareForSleep(false))
		s.lock("unlocked")
		s.expect("active", "awake.service")
	}
	s.must(s.Login1.SetLockedHint(true))
	s.lock("locked")
	s.must(s.Login1.PrepareForSleep(true))
	s.expect("active", "sleep.target")
	s.must(s.Login1.PrepareForSleep(false))
	s.expect("inactive", "sleep.target")
	s.settle()
	s.lock("locked")
}

// The same is true whatever ends the sleep, and if somebody holds the lock
// meanwhile.
func TestASleepWithoutALockerEndsUnlockedInEveryWay(t *testing.T) {
	for name, sleep := range map[string]func(*scene){
		"by hand": func(s *scene) {
			s.user("nm-session-bridge set sleep asleep")
			s.lock("locked")
			s.user("nm-session-bridge set sleep auto")
		},
		"by hand, from one position to the other": func(s *scene) {
			s.user("nm-session-bridge set sleep asleep")
			s.lock("locked")
			s.user("nm-session-bridge set sleep awake")
			s.expect("inactive", "sleep.target")
			s.user("nm-session-bridge set sleep auto")
		},
		"by hand, and the bridge restarts": func(s *scene) {
			s.user("nm-session-bridge set sleep asleep")
			s.lock("locked")
			s.systemctl("kill", "-s", "KILL", bridgeUnit)
			s.secondBridge()
			s.user("nm-session-bridge set sleep auto")
		},
		"everything is read anew meanwhile": func(s *scene) {
			s.must(s.Login1.PrepareForSleep(true))
			s.lock("locked")
			s.systemctl("reload", bridgeUnit)
			s.systemctl("daemon-reload")
			s.must(s.Login1.PrepareForSleep(false))
		},
		"the bridge restarts meanwhile": func(s *scene) {
			s.must(s.Login1.PrepareForSleep(true))
			s.lock("locked")
			s.systemctl("kill", "-s", "KILL", bridgeUnit)
			s.secondBridge()
			s.must(s.Login1.PrepareForSleep(false))
		},
		"before the screen is locked": func(s *scene) {
			s.enable("music.service", "[Unit]\nPartOf=unlock.target\nAfter=unlock.target\n[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 1\n[Install]\nWantedBy=unlock.target\n")
			s.systemctl("start", "music.service")
			s.must(s.Login1.PrepareForSleep(true))
			s.expect("deactivating", "music.service")
			s.must(s.Login1.PrepareForSleep(false))
			s.started("lock.target", 1)
		},
		"the lock is held meanwhile": func(s *scene) {
			s.must(s.Login1.PrepareForSleep(true))
			s.lock("locked")
			s.user("nm-session-bridge set lock locked")
			s.must(s.Login1.PrepareForSleep(false))
			s.expect("inactive", "sleep.target")
			s.settle()
			s.lock("locked")
			s.user("nm-session-bridge set lock auto")
		},
		"the lock is held before": func(s *scene) {
			s.user("nm-session-bridge set lock locked")
			s.lock("locked")
			s.must(s.Login1.PrepareForSleep(true))
			s.expect("active", "sleep.target")
			s.user("nm-session-bridge set lock auto")
			s.settle()
			s.lock("locked")
			s.must(s.Login1.PrepareForSleep(false))
		},
		"the lock is held for a part of it": func(s *scene) {
			s.must(s.Login1.PrepareForSleep(true))
			s.lock("locked")
			s.user("nm-session-bridge set lock locked")
			s.user("nm-session-bridge set lock auto")
			s.settle()
			s.lock("locked")
			s.must(s.Login1.PrepareForSleep(false))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, sandbox.Options{})
			s.enable("awake.service", whileUnit("unlock.target"))
			s.install()
			s.lock("unlocked")
			s.expect("active", "awake.service")
			sleep(s)
			s.expect("inactive", "sleep.target")
			s.lock("unlocked")
			s.expect("active", "awake.service")
			s.neverBoth("lock.target", "unlock.target")
		})
	}
}

// A program that is no unit may cover the screen when logind asks for it, and tell nobody.
// Waking up does not unlock then.
func TestASleepLeavesALockThatSomebodyAskedFor(t *testing.T) {
	for name, asleep := range map[string]func(*scene){
		"before it": func(s *scene) {
			s.askFor("locked")
			s.fallAsleep()
		},
		"during it": func(s *scene) {
			s.fallAsleep()
			s.lock("locked")
			s.must(s.Login1.AskToLock(true))
		},
		"before it, and it was unlocked meanwhile": func(s *scene) {
			s.askFor("locked")
			s.askFor("unlocked")
			s.askFor("locked")
			s.fallAsleep()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, sandbox.Options{})
			s.install()
			s.lock("unlocked")
			asleep(s)
			s.must(s.Login1.PrepareForSleep(false))
			s.expect("inactive", "sleep.target")
			s.status("sleep woken")
			s.settle()
			s.lock("locked")
			s.askFor("unlocked")
			s.fallAsleep()
			s.must(s.Login1.PrepareForSleep(false)) // nobody asked for this one
			s.lock("unlocked")
		})
	}
}

// Waking up does not unlock if the locker is still about to start.
func TestALockerThatIsSlowToStartIsNotMissed(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.write("dim.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'until [ -e %h/dimmed ]; do sleep 0.05; done'\n")
	s.enable("locker.service", "[Unit]\nAfter=lock.target dim.service\nWants=dim.service\nPartOf=lock.target\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=lock.target\n")
	s.install()
	s.lock("unlocked")
	s.must(s.Login1.PrepareForSleep(true))
	s.lock("locked")
	s.expect("active", "sleep.target")
	s.must(s.Login1.PrepareForSleep(false))
	s.expect("inactive", "sleep.target")
	s.status("sleep woken")
	s.write(sandbox.Home+"/dimmed", "")
	s.expect("active", "locker.service")
	s.settle()
	s.lock("locked")
	s.expect("active", "locker.service")
	s.started("locker.service", 1)
}

func TestALockerThatIsStoppedOrCrashesUnlocksNothing(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", "[Service]\nExecStart=/bin/sh -c '"+typed+"'\n[Install]\nWantedBy=lock.target\n")
	s.install()
	s.lock("unlocked")
	for i, signal := range []string{"", "KILL", "SEGV"} {
		s.must(s.Login1.AskToLock(true))
		s.must(s.timeline.WaitStarts(s.ctx, "locker.service", i+1))
		s.expect("active", "locker.service")
		if signal == "" {
			s.systemctl("stop", "locker.service")
			s.expect("inactive", "locker.service")
		} else {
			s.systemctl("kill", "-s", signal, "locker.service")
			s.expect("failed", "locker.service")
		}
		s.settle()
		s.lock("locked")
	}
}

func TestWhatEndsAfterTheLockerHasCrashedUnlocksNothing(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", lockers["simple"])
	s.write(".config/systemd/user/locker.service.d/once.conf", "[Service]\nRestart=no\n")
	s.enable("note.service", "[Unit]\nPartOf=lock.target\n[Service]\nExecStart=/bin/sh -c 'until [ -e %h/read ]; do sleep 0.02; done'\n[Install]\nWantedBy=lock.target\n")
	s.install()
	s.lock("unlocked")
	s.askFor("locked")
	s.expect("active", "locker.service", "note.service")
	s.systemctl("kill", "-s", "SEGV", "locker.service")
	s.expect("failed", "locker.service")
	s.write(sandbox.Home+"/read", "")
	s.expect("inactive", "note.service")
	s.settle()
	s.lock("locked")
	s.must(s.Login1.AskToLock(true))
	s.started("locker.service", 2)
	s.write(sandbox.Home+"/typed", "")
	s.lock("unlocked")
	s.started("unlock.target", 2)
}

// A locker that crashes may still send signals from its ExecStopPost=. A signal
// after that counts.
func TestAnUnlockCountsOnceACrashIsOver(t *testing.T) {
	s := lockedBy(t, "[Unit]\nPartOf=lock.target\n"+
		"[Service]\nExecStart=/bin/sh -c '"+typed+"'\nExecStopPost=/bin/sh -c 'sleep 3; loginctl unlock-session 1'\n[Install]\nWantedBy=lock.target\n")
	s.crashes()
	s.unlocksLater()
}

// What it says at the end of its first start would stop the next one.
func TestALockerThatFailsToStartUnlocksNothing(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", "[Unit]\nPartOf=lock.target\n"+
		"[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'rm %h/ready && systemd-notify --ready && "+typed+"'\nExecStopPost=loginctl unlock-session 1\n"+
		"Restart=on-failure\nRestartSec=1\n[Install]\nWantedBy=lock.target\n")
	s.install()
	s.lock("unlocked")
	s.must(s.Login1.AskToLock(true))
	s.waitLog(ignored)
	s.write(sandbox.Home+"/ready", "")
	s.expect("active", "locker.service")
	s.settle()
	s.lock("locked")
	s.write(sandbox.Home+"/typed", "")
	s.lock("unlocked")
}

// ignored is what the log says of what a locker makes logind say while it crashes.
const ignored = "the lock stays locked: the signal to unlock came with the crash of locker.service"

// A bridge that was paused, as in a sleep, finds the crash on one bus and what came of it
// on the other at once.
func TestACrashThatIsHeardLateUnlocksNothing(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", "[Unit]\nPartOf=lock.target\n"+
		"[Service]\nExecStart=/bin/sh -c '"+typed+"'\nExecStopPost=loginctl unlock-session 1\n[Install]\nWantedBy=lock.target\n")
	s.install()
	s.lock("unlocked")
	const rounds = 3 // systemd starts nothing more than five times in ten seconds
	for round := 1; round <= rounds; round++ {
		s.must(s.Login1.AskToLock(true))
		s.must(s.timeline.WaitStarts(s.ctx, "locker.service", round))
		s.expect("active", "locker.service")
		s.lock("locked")
		s.systemctl("kill", "-s", "STOP", bridgeUnit)
		s.systemctl("kill", "-s", "SEGV", "locker.service")
		s.expect("failed", "locker.service")
		s.systemctl("kill", "-s", "CONT", bridgeUnit)
		s.hearsOfCrashes(round)
		s.settle()
		s.lock("locked")
	}
	s.started("unlock.target", 1)
}

func TestALockerBehindATargetOfTheUsersIsALocker(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("cover.target", "[Unit]\nPartOf=lock.target\n[Install]\nRequiredBy=lock.target\n")
	s.enable("locker.service", "[Unit]\nPartOf=cover.target\n[Service]\nExecStart=/bin/sh -c '"+typed+"'\n"+
		"ExecStopPost=/bin/sh -c '[ $$SERVICE_RESULT = success ] || loginctl unlock-session 1'\n[Install]\nWantedBy=cover.target\n")
	s.enable("dim.service", "[Service]\nExecStart=/bin/sh -c 'until [ -e %h/dimmed ]; do sleep 0.02; done'\n[Install]\nWantedBy=lock.target\n")
	s.install()
	s.lock("unlocked")
	s.askFor("locked")
	s.expect("active", "locker.service", "dim.service")
	s.write(sandbox.Home+"/dimmed", "")
	s.expect("inactive", "dim.service") // which is no reason to unlock
	s.settle()
	s.lock("locked")
	s.expect("active", "locker.service")

	s.crashes()
	s.systemctl("start", "locker.service")
	s.write(sandbox.Home+"/typed", "")
	s.lock("unlocked")
	s.expect("inactive", "locker.service", "cover.target")
	s.started("unlock.target", 2)
}

func TestALockerThatOnlyASleepStartsUnlocksNothingByACrash(t *testing.T) {
	for name, target := range map[string]string{"itself": "sleep.target", "by a target of the user's": "night.target"} {
		t.Run(name, func(t *testing.T) {
			for when, isAwake := range map[string]bool{"asleep": false, "awake again": true} {
				t.Run(when, func(t *testing.T) {
					s := begin(t, sandbox.Options{})
					s.enable("night.target", "[Unit]\nPartOf=sleep.target\n[Install]\nWantedBy=sleep.target\n")
					s.enable("locker.service", "[Service]\nExecStart=/bin/sh -c '"+typed+"'\nExecStopPost=loginctl unlock-session 1\n[Install]\nWantedBy="+target+"\n")
					s.install()
					s.lock("unlocked")
					s.fallAsleep()
					s.expect("active", "locker.service")
					s.must(s.Login1.SetLockedHint(true))
					if isAwake {
						s.wakeUp()
						s.expect("inactive", "sleep.target")
					}
					s.lock("locked")
					s.crashes()
					s.unlocksLater()
				})
			}
		})
	}
}

// What ends before the locker has started is no locker. The locker's start waits for a
// oneshot, as that of the fork of systemd-lock-handler does.
func TestWhatEndsBeforeTheLockerStartsUnlocksNothing(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("music.service", "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=lock.target\n")
	s.enable("dim.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'until [ -e %h/dimmed ]; do sleep 0.05; done; rm %h/dimmed'\n[Install]\nWantedBy=lock.target\n")
	s.enable("locker.service", lockers["of its fork"])
	s.install()
	s.lock("unlocked")
	for round := 1; round <= 2; round++ { // in the second, the bridge has known the services for long
		s.must(s.Login1.AskToLock(true))
		s.must(s.timeline.WaitStarts(s.ctx, "music.service", round))
		s.expect("inactive", "music.service")
		s.write(sandbox.Home+"/dimmed", "")
		s.expect("active", "locker.service")
		s.lock("locked")
		s.started("unlock.target", round)
		s.write(sandbox.Home+"/typed", "")
		s.lock("unlocked")
		s.started("locker.service", round)
	}
}

// Most of what sleep.target wants is no locker.
func TestWorkBeforeASleepThatFailsHoldsNoUnlockBack(t *testing.T) {
	const work = "ExecStart=/bin/sh -c 'until [ -e %h/failed ]; do sleep 0.02; done; false'\n"
	for name, unit := range map[string]string{
		"cleans up after itself": "[Service]\nType=oneshot\n" + work + "ExecStopPost=/bin/rm %h/failed\n[Install]\nWantedBy=sleep.target\n",
		"says nothing more":      "[Service]\n" + work + "[Install]\nWantedBy=sleep.target\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, sandbox.Options{})
			s.enable("locker.service", lockers["simple"])
			s.enable("backup.service", unit)
			s.install()
			s.lock("unlocked")
			s.must(s.Login1.PrepareForSleep(true))
			s.lock("locked")
			s.must(s.timeline.WaitStarts(s.ctx, "backup.service", 1))
			s.must(s.Login1.PrepareForSleep(false))
			s.expect("inactive", "sleep.target")
			s.expect("active", "locker.service")
			s.write(sandbox.Home+"/failed", "")
			s.expect("failed", "backup.service")
			s.askFor("unlocked")
			s.expect("inactive", "locker.service")
			s.started("locker.service", 1)
		})
	}
}
