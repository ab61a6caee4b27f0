package integration

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// beginAwake brings up a sandbox with units for the lid and for sleep. Each
// leaves a file with its name when it has finished.
func beginAwake(t *testing.T, options sandbox.Options) *scene {
	t.Helper()
	s := begin(t, options)
	s.wake()
	return s
}

// enoughDelay is an InhibitDelayMaxSec= that is enough for units on a busy machine. On one,
// logind's usual five seconds may not be.
const enoughDelay = time.Minute

// wake installs the units and the bridge.
func (s *scene) wake() {
	s.Helper()
	s.Login1.SetInhibitDelayMax(enoughDelay)
	finishes := func(name, unit, target string) {
		s.enable(name, "[Unit]\n"+unit+"[Service]\nType=oneshot\nExecStart=/bin/sleep 1\nExecStart=/usr/bin/touch "+
			sandbox.Home+"/"+name+"\n[Install]\nWantedBy="+target+"\n")
	}
	finishes("screen-off.service", "", "lid-closed.target")
	finishes("nap.service", "", "sleep.target")
	finishes("late.service", "After=sleep.target\n", "sleep.target")
	s.install()
	s.online()
	s.lid("open")
	s.locks(1)
}

// locks waits until the bridge holds a number of delay locks on sleep. NetworkManager
// holds its own.
func (s *scene) locks(count int) {
	s.Helper()
	s.locksOn("sleep", count)
}

// locksOn waits until the bridge holds a number of delay locks on an operation. What
// the bridge knew of the user manager by then, the timeline knows afterwards.
func (s *scene) locksOn(what string, count int) {
	s.Helper()
	for {
		all, changed := s.Login1.Inhibitors()
		held := 0
		for _, lock := range all {
			if lock.Who != "nm-session-bridge" || lock.What != what {
				continue
			}
			held++
			if lock.Mode != "delay" || lock.Why == "" {
				s.Fatalf("a lock is %+v", lock)
			}
		}
		if held > 1 {
			s.Fatalf("%d locks are held", held)
		}
		if held == count {
			s.must(s.timeline.CatchUp(s.ctx))
			return
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			s.Fatalf("%d locks are held, not %d", held, count)
		}
	}
}

// fallAsleep lets the machine sleep, once nothing delays it any longer.
func (s *scene) fallAsleep() {
	s.Helper()
	s.locks(1)
	s.must(s.Login1.PrepareForSleep(true))
	s.locks(0)
}

// wakeUp wakes the machine up, and waits until the bridge can delay the next sleep.
func (s *scene) wakeUp() {
	s.Helper()
	s.must(s.Login1.PrepareForSleep(false))
	s.locks(1)
}

// finished checks that units have finished, and forgets it.
func (s *scene) finished(units ...string) {
	s.Helper()
	for _, unit := range units {
		if err := os.Remove(sandbox.Home + "/" + unit); err != nil {
			s.Errorf("%s has not finished: %v", unit, err)
		}
	}
}

func TestUnitsFinishBeforeTheMachineSleeps(t *testing.T) {
	for _, generation := range []fakes.Generation{fakes.Logind262, fakes.Logind252} {
		t.Run(string(generation), func(t *testing.T) {
			s := beginAwake(t, sandbox.Options{Login1: generation})
			for round := 1; round <= 3; round++ {
				// logind acts on the lid before it signals it.
				s.Login1.MoveLidUnseen(true)
				s.fallAsleep()
				s.finished("screen-off.service", "nap.service", "late.service")
				s.must(s.Login1.SetLid(true))
				s.must(s.Login1.SetLid(false))
				s.wakeUp()
				s.lid("open")
				s.expect("inactive", "sleep.target")
				s.online() // NetworkManager also slept
				for _, unit := range []string{"screen-off.service", "nap.service", "late.service", "sleep.target", "lid-closed.target"} {
					s.started(unit, round)
				}
			}
		})
	}
}

// delayMax changes InhibitDelayMaxSec= and makes the bridge read it again.
func (s *scene) delayMax(most time.Duration) {
	s.Helper()
	s.Login1.SetInhibitDelayMax(most)
	s.systemctl("reload", bridgeUnit)
}

func TestAUnitThatTakesTooLongDoesNotKeepTheMachineAwake(t *testing.T) {
	s := beginAwake(t, sandbox.Options{})
	s.delayMax(5 * time.Second)
	s.enable("endless.service", "[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=sleep.target\n")
	s.fallAsleep()
	s.waitLog("sleep begins with units unfinished")
	if log := s.log(); !strings.Contains(log, "endless.service") {
		t.Errorf("the log does not name the unit:\n%s", log)
	}
	s.must(s.Login1.PrepareForSleep(false))
	s.expect("inactive", "sleep.target")
	s.locks(1)
}

func TestAnotherUnitsLongJobDoesNotKeepTheMachineAwake(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.write("backup.service", "[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n")
	s.must(s.User.DaemonReload())
	s.systemctl("start", "--no-block", "backup.service")
	s.expect("activating", "backup.service")
	s.wake()
	s.fallAsleep()
	s.finished("nap.service", "late.service")
	if log := s.log(); strings.Contains(log, "unfinished") {
		t.Errorf("the backup was waited for:\n%s", log)
	}
}

func TestPrepareForSleepInOddOrders(t *testing.T) {
	s := beginAwake(t, sandbox.Options{})
	s.must(s.Login1.PrepareForSleep(false)) // nobody slept
	s.must(s.Login1.PrepareForSleep(true))
	s.must(s.Login1.PrepareForSleep(true)) // twice
	s.locks(0)
	s.finished("nap.service", "late.service")
	s.must(s.Login1.Vanish()) // and nothing signals the waking up
	s.Login1.MoveLidUnseen(false)
	s.Login1.Wake()
	s.must(s.Login1.Appear(s.ctx))
	s.expect("inactive", "sleep.target")
	s.locks(1)
	s.started("nap.service", 1)
	s.fallAsleep()
	s.finished("nap.service", "late.service")
}

func TestLogindRestartsWithALockHeld(t *testing.T) {
	s := beginAwake(t, sandbox.Options{})
	for range 3 {
		s.must(s.Login1.Vanish())
		s.must(s.Login1.Appear(s.ctx))
		s.locks(1)
	}
	s.systemctl("stop", bridgeUnit)
	s.locks(0)
}

func TestASwitchThatIsOffTakesNoLock(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.flags("--switches=internet,lid")
	s.install()
	s.lid("open")
	s.settle()
	s.locks(0)
}

func TestASleepAfterAWakingWithoutAWordIsANewOne(t *testing.T) {
	s := beginAwake(t, sandbox.Options{})
	s.enable("locker.service", whileUnit("lock.target"))
	for round := range 3 {
		s.must(s.Login1.PrepareForSleep(true))
		for _, unit := range []string{"nap.service", "late.service"} {
			s.started(unit, round+1)
			s.finished(unit)
		}
		s.started("locker.service", round+1)
		s.Login1.Wake()
		s.systemctl("stop", "locker.service")
	}
	s.wakeUp()
	s.expect("inactive", "sleep.target")
}

// fallAsleepLater is like fallAsleep, once the jobs of the moment are older than those that a
// sleep itself has started (recently in systemdctl/waiting.go). Nothing signals an age.
func (s *scene) fallAsleepLater() {
	s.Helper()
	time.Sleep(4 * time.Second)
	s.fallAsleep()
}

func TestAUnitThatTheLidHasLongStartedIsWaitedFor(t *testing.T) {
	s := beginAwake(t, sandbox.Options{})
	s.enable("slow.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 10\nExecStart=/usr/bin/touch "+sandbox.Home+"/slow.service\n[Install]\nWantedBy=lid-closed.target\n")
	s.must(s.Login1.SetLid(true))
	s.expect("activating", "slow.service")
	s.fallAsleepLater()
	s.finished("slow.service", "nap.service", "late.service", "screen-off.service")
}

// The sleep would have stopped it.
func TestAUnitThatALockHasLongStoppedIsWaitedFor(t *testing.T) {
	s := beginAwake(t, sandbox.Options{})
	s.enable("vault.service", "[Unit]\nPartOf=unlock.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"+
		"ExecStop=/bin/sleep 10\nExecStop=/usr/bin/touch "+sandbox.Home+"/vault.service\n[Install]\nWantedBy=unlock.target\n")
	s.systemctl("start", "vault.service")
	s.must(s.Login1.AskToLock(true))
	s.expect("deactivating", "vault.service")
	s.fallAsleepLater()
	s.finished("vault.service", "nap.service", "late.service")
}

// refusals waits until logind has refused a number of locks.
func (s *scene) refusals(count int) {
	s.Helper()
	for {
		got, changed := s.Login1.Refusals()
		if got >= count {
			return
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			s.Fatalf("%d locks were refused, not %d", got, count)
		}
	}
}

// noPolkit is how logind refuses if polkit is not installed, seen with 257.
var noPolkit = dbus.Error{Name: "org.freedesktop.DBus.Error.AccessDenied", Body: []any{"Access denied"}}

func TestADelayLockThatWasRefusedIsTakenOnRequest(t *testing.T) {
	for name, again := range map[string]func(*scene){
		"a reload": func(s *scene) { s.systemctl("reload", bridgeUnit) },
		"SIGHUP":   func(s *scene) { s.systemctl("kill", "-s", "HUP", bridgeUnit) },
		"a restart of logind": func(s *scene) {
			s.must(s.Login1.Vanish())
			s.must(s.Login1.Appear(s.ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			const complaint = "logind does not let this user delay sleep"
			s := begin(t, sandbox.Options{})
			s.Login1.RefuseLocks(noPolkit)
			s.install()
			s.online()
			s.says(complaint)
			s.status(", the delay lock on sleep is refused")
			if found := s.finds("", "delay sleep", "polkit"); !strings.HasSuffix(found.mend, " && systemctl --user reload nm-session-bridge.service") {
				t.Errorf("the doctor says %q", found.mend)
			}
			refused, _ := s.Login1.Refusals()
			again(s)
			s.refusals(refused + 1)
			s.must(s.Login1.PrepareForSleep(true)) // which does not wait
			s.expect("active", "sleep.target")
			s.must(s.Login1.PrepareForSleep(false))
			s.expect("inactive", "sleep.target")
			s.locks(0)

			s.Login1.RefuseLocks(dbus.Error{}) // polkit is installed
			again(s)
			s.locks(1)
			s.clean("")
			s.says(complaint)
			if status := s.systemctl("show", "--value", "--property=StatusText", bridgeUnit); strings.Contains(status, "refused") {
				t.Errorf("the status is %q", status)
			}
		})
	}
}

func TestADelayLockThatLogindFailsToGiveIsTriedAgainInSilence(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.Login1.RefuseLocks(dbus.Error{Name: "org.freedesktop.DBus.Error.LimitsExceeded", Body: []any{"too many locks"}})
	s.install()
	s.refusals(3)
	s.says("cannot delay sleep; trying again")
	s.Login1.RefuseLocks(dbus.Error{Name: "org.freedesktop.DBus.Error.Failed", Body: []any{"out of files"}})
	s.waitLog("out of files")
	s.Login1.RefuseLocks(dbus.Error{})
	s.locks(1)
	for _, why := range []string{"delay lock on sleep: too many locks", "delay lock on sleep: out of files"} {
		if said := strings.Count(s.log(), why); said != 1 {
			t.Errorf("%q is said %d times", why, said)
		}
	}
}

// Nothing listens at the first address.
func TestTheDelayLockIsTakenAtWhicheverAddressTheSystemBusIs(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.write(".config/systemd/user/"+bridgeUnit+".d/addresses.conf",
		"[Service]\nEnvironment=\"DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere/bus;"+sandbox.SystemBusAddress+"\"\n")
	s.wake()
	s.fallAsleep()
	s.finished("nap.service", "late.service")
	s.wakeUp()
}
