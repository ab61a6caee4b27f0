package integration

import (
	"path"
	"slices"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// lockerUnit is a screen locker as users of systemd-lock-handler write it: it
// forks once the screen is locked, and its end unlocks.
const lockerUnit = `[Unit]
OnSuccess=unlock.target
PartOf=lock.target
After=lock.target

[Service]
Type=forking
ExecStart=/bin/sh -c 'while ! [ -e %h/unlocked ]; do sleep 0.02; done & :'
ExecStopPost=/bin/rm -f %h/unlocked
Restart=on-failure
RestartSec=0

[Install]
WantedBy=lock.target
`

// logsIn begins a session, and waits until the bridge knows it. Nobody locks a session
// earlier: logind announces it first, and gives it to whoever has asked for it once the job
// of its scope is done.
func (s *scene) logsIn(kind fakes.SessionKind) (number int) {
	s.Helper()
	number, err := s.Login1.BeginSession(sandbox.UID, kind)
	s.must(err)
	s.knowsTheSession()
	return number
}

// knowsTheSession waits until the bridge has read the latest session. The reason for the
// position of the lock may still be that of an earlier one.
func (s *scene) knowsTheSession() {
	s.Helper()
	hint := "logind.session." + path.Base(string(s.Login1.Session())) + ".LockedHint"
	s.until("the bridge knows the session", func() bool {
		return s.json(0, "~/.local/bin/nm-session-bridge status --json").Facts[hint] != ""
	})
}

func (s *scene) lock(position string) {
	s.Helper()
	if position == "locked" {
		s.expect("active", "lock.target")
		s.expect("inactive", "unlock.target")
	} else {
		s.expect("active", "unlock.target")
		s.expect("inactive", "lock.target")
	}
	s.status("lock " + position)
}

// askFor asks logind to lock or unlock the session, and waits for that.
func (s *scene) askFor(position string) {
	s.Helper()
	s.must(s.Login1.AskToLock(position == "locked"))
	s.lock(position)
}

func TestLockFollowsADesktopThatTellsTheHint(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.lock("unlocked")
	for range 2 {
		s.must(s.Login1.SetLockedHint(true))
		s.lock("locked")
		s.must(s.Login1.SetLockedHint(false))
		s.lock("unlocked")
	}
	s.must(s.Login1.SetLockedHint(true))
	s.lock("locked")
	s.systemctl("restart", bridgeUnit)
	s.secondBridge()
	s.lock("locked")
	s.started("lock.target", 3)
	s.neverBoth("lock.target", "unlock.target")
}

func TestALockerThatIsAUnitLocksAndItsEndUnlocks(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", lockerUnit)
	s.install()
	s.lock("unlocked")
	for i := range 2 {
		s.askFor("locked")
		s.expect("active", "locker.service")
		s.write(sandbox.Home+"/unlocked", "")
		s.expect("inactive", "locker.service")
		s.lock("unlocked")
		s.started("locker.service", i+1)
	}
	s.askFor("locked")
	s.askFor("unlocked")
	s.expect("inactive", "locker.service")
	s.neverBoth("lock.target", "unlock.target")
}

// A locker that ends silently leaves lock.target active. After that, the next lock
// must work.
func TestALockerThatDoesNotUnlockLocksAgain(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=lock.target\n")
	s.enable("dim.service", onceUnit("lock.target"))
	s.install()
	s.lock("unlocked")
	for i := range 3 {
		s.askFor("locked")
		s.started("locker.service", i+1)
		s.started("dim.service", i+1)
		s.must(s.Login1.SetLockedHint(true)) // as many lockers do; it is not a request
		s.systemctl("stop", "locker.service")
	}
	s.settle()
	s.started("locker.service", 3)
	s.askFor("unlocked")
}

// Because of a oneshot, the first lock is not complete when the second comes.
func TestALockIsHeededWhileAnotherIsOnItsWay(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=lock.target\n")
	s.enable("slow.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'until [ -e %h/dimmed ]; do sleep 0.05; done'\n[Install]\nWantedBy=lock.target\n")
	s.install()
	s.lock("unlocked")
	for i := range 3 {
		s.must(s.Login1.AskToLock(true))
		s.expect("active", "locker.service")
		s.must(s.timeline.WaitStarts(s.ctx, "locker.service", i+1))
		s.systemctl("stop", "locker.service")
	}
	s.write(sandbox.Home+"/dimmed", "")
	s.lock("locked")
	s.user("nm-session-bridge set lock locked")
	s.must(s.Login1.AskToLock(true))
	s.started("locker.service", 4)
	s.must(s.Login1.AskToLock(false))
	s.settle()
	s.expect("active", "lock.target", "locker.service")
}

// An earlier lock is no reason for the machine to sleep unlocked.
func TestALockerThatDoesNotUnlockLocksBeforeEachSleep(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", whileUnit("lock.target"))
	s.install()
	s.lock("unlocked")
	for i := range 3 {
		s.fallAsleep()
		s.expect("active", "locker.service", "lock.target", "sleep.target")
		s.must(s.Login1.PrepareForSleep(false))
		s.expect("inactive", "sleep.target")
		s.started("locker.service", i+1)
		s.systemctl("stop", "locker.service")
	}
}

// A unit of unlock.target takes a while, and so does the target: its start job is
// running when sleep.target pulls in lock.target, and is canceled.
func TestASleepWhileTheScreenIsBeingUnlockedLocks(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", lockerUnit)
	s.enable("greeting.service", "[Unit]\nPartOf=unlock.target\n[Service]\nType=oneshot\nExecStart=/bin/sleep infinity\nTimeoutStartSec=infinity\n[Install]\nWantedBy=unlock.target\n")
	s.install()
	s.expect("activating", "greeting.service")
	for _, begins := range []func() error{
		func() error { return s.Login1.PrepareForSleep(true) },
		func() error { _, err := s.Systemctl("start", "--no-block", "lock.target"); return err },
	} {
		s.must(begins())
		s.lock("locked")
		s.expect("active", "locker.service")
		s.must(s.Login1.PrepareForSleep(false))
		s.settle()
		s.lock("locked")
		s.must(s.Login1.AskToLock(false))
		s.expect("activating", "greeting.service")
	}
	s.neverBoth("lock.target", "unlock.target")
}

func TestALockThatIsNoLongerHeldFollowsTheFacts(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.lock("unlocked")
	s.settle()
	s.must(s.Login1.PrepareForSleep(true))
	s.lock("locked") // because sleep.target wants it; logind says nothing about that
	s.must(s.Login1.PrepareForSleep(false))
	s.user("nm-session-bridge set lock unlocked")
	s.user("nm-session-bridge set lock auto")
	s.settle()
	s.lock("unlocked")
	s.started("lock.target", 1)

	s.user("nm-session-bridge set lock locked")
	s.lock("locked")
	s.systemctl("restart", bridgeUnit)
	s.secondBridge()
	s.user("nm-session-bridge set lock auto")
	s.lock("unlocked")
}

func TestALockedScreenStaysLockedOverARestart(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", lockerUnit)
	s.install()
	s.askFor("locked")
	s.expect("active", "locker.service")
	s.systemctl("kill", "-s", "KILL", bridgeUnit)
	s.secondBridge()
	s.status("lock locked")
	s.systemctl("reload", bridgeUnit)
	s.must(s.Login1.Vanish())
	s.must(s.Login1.Appear(s.ctx))
	s.settle()
	s.lock("locked")
	s.started("locker.service", 1)
	s.askFor("unlocked")
}

func TestTheScreenIsLockedBeforeTheMachineSleeps(t *testing.T) {
	for _, generation := range []fakes.Generation{fakes.Logind252, fakes.Logind262} {
		t.Run(string(generation), func(t *testing.T) {
			s := begin(t, sandbox.Options{Login1: generation})
			s.enable("locker.service", lockerUnit)
			s.install()
			s.lock("unlocked")
			s.fallAsleep()
			s.expect("active", "locker.service", "lock.target", "sleep.target")
			s.must(s.Login1.PrepareForSleep(false))
			s.expect("inactive", "sleep.target")
			s.lock("locked")
			s.write(sandbox.Home+"/unlocked", "")
			s.lock("unlocked")
			s.started("locker.service", 1)
		})
	}
}

func TestBeforeTheFirstSessionNothingIsSaidOfTheLock(t *testing.T) {
	s := begin(t, sandbox.Options{NoSession: true})
	s.install()
	s.status("lock unknown (the user has no graphical session)")
	s.expect("inactive", "lock.target", "unlock.target")
	s.must(s.Login1.SetSession(sandbox.UID, true))
	s.lock("unlocked")
}

// A sleep without a session may have locked a screen that logind does not know.
// The session that begins says nothing about that screen.
func TestASessionThatBeginsUnlocksNothing(t *testing.T) {
	s := begin(t, sandbox.Options{NoSession: true})
	s.enable("locker.service", whileUnit("lock.target"))
	s.flags("--gone-grace=100ms")
	s.install()
	s.waitLog("lock is unknown: the user has no graphical session")
	s.must(s.Login1.PrepareForSleep(true))
	s.expect("active", "sleep.target", "lock.target")
	s.must(s.Login1.PrepareForSleep(false))
	s.expect("inactive", "sleep.target")
	s.must(s.Login1.Vanish())
	s.expect("inactive", "lid-open.target") // now a grace is over
	s.must(s.Login1.Appear(s.ctx))
	s.expect("active", "lid-open.target")
	s.systemctl("restart", bridgeUnit)
	s.secondBridge()
	s.expect("active", "lock.target", "locker.service")
	s.must(s.Login1.SetSession(sandbox.UID, true))
	s.knowsTheSession()
	s.settle()
	s.lock("locked")
	s.started("locker.service", 1)
	s.askFor("unlocked")
}

func TestALockedScreenStaysLockedWhileLogindIsAway(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", lockerUnit)
	s.flags("--gone-grace=100ms")
	s.install()
	s.askFor("locked")
	s.must(s.Login1.Vanish())
	s.expect("inactive", "lid-open.target") // its position is no longer known
	s.status("lock locked (in doubt: logind is not running)")
	s.systemctl("kill", "-s", "KILL", bridgeUnit)
	s.secondBridge()
	s.status("lock locked (in doubt: logind is not running)")
	s.must(s.Login1.Appear(s.ctx))
	s.expect("active", "lid-open.target")
	s.lock("locked")
	s.expect("active", "locker.service")
	s.started("locker.service", 1)
}

// A logind that starts anew has forgotten the hint, which says nothing about the screen.
func TestALogindThatForgetsTheHintUnlocksNothing(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", lockerUnit)
	s.install()
	s.lock("unlocked")
	s.must(s.Login1.SetLockedHint(true))
	s.lock("locked")
	s.expect("active", "locker.service")
	s.must(s.Login1.Vanish())
	s.must(s.Login1.Appear(s.ctx))
	s.until("the bridge has read the new logind", func() bool {
		return s.json(0, "~/.local/bin/nm-session-bridge status --json").Facts["logind.session._31.LockedHint"] == "false"
	})
	s.settle()
	s.lock("locked")
	s.expect("active", "locker.service")
	s.started("locker.service", 1)
	s.must(s.Login1.SetLockedHint(true))
	s.must(s.Login1.SetLockedHint(false))
	s.lock("unlocked")
}

func TestANewSessionDoesNotUnlockTheOneBefore(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", lockerUnit)
	s.install()
	s.askFor("locked")
	s.expect("active", "locker.service")
	s.must(s.Login1.SetSession(sandbox.UID, false))
	s.knows("the user has no graphical session", true)
	s.must(s.Login1.SetSession(sandbox.UID, true))
	s.knowsTheSession()
	s.settle()
	s.lock("locked")
	s.expect("active", "locker.service")
	s.started("locker.service", 1)
	s.askFor("unlocked")
	s.expect("inactive", "locker.service")
}

// A login by SSH comes first, so that logind chooses it as Display; the text
// session at the seat becomes a graphical one.
func TestAnotherSessionThanDisplayIsLocked(t *testing.T) {
	s := begin(t, sandbox.Options{NoSession: true})
	s.enable("locker.service", whileUnit("lock.target"))
	ssh, err := s.Login1.BeginSession(sandbox.UID, fakes.SessionKind{Type: "tty"})
	s.must(err)
	s.install()
	s.status("lock unknown (the user has no graphical session)")
	tty, err := s.Login1.BeginSession(sandbox.UID, fakes.SessionKind{Type: "tty", Seat: "seat0"})
	s.must(err)
	s.lock("unlocked")
	s.must(s.Login1.BecomeGraphical(tty))
	s.must(s.Login1.AskSessionToLock(ssh, true)) // which has no screen
	s.must(s.Login1.AskSessionToLock(tty, true))
	s.lock("locked")
	s.expect("active", "locker.service")
	s.must(s.Login1.EndSession(ssh))
	_, err = s.Login1.BeginSession(sandbox.UID, fakes.SessionKind{Type: "tty"})
	s.must(err)
	s.settle()
	s.lock("locked")
	s.expect("active", "locker.service")
	s.started("locker.service", 1)
	s.must(s.Login1.AskSessionToLock(tty, false))
	s.lock("unlocked")
}

// logind has named the session, and may not yet have said anything about it.
func TestALockOfASessionThatIsNotReadYetLocks(t *testing.T) {
	s := begin(t, sandbox.Options{Bus: sandbox.DbusDaemon})
	s.enable("locker.service", whileUnit("lock.target"))
	s.install()
	s.lock("unlocked")
	conn, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer conn.Close()
	for i := range 10 {
		one, err := s.Login1.BeginSession(sandbox.UID, fakes.SessionKind{Type: "wayland", Seat: "seat0"})
		s.must(err)
		s.until("the bus sends its Lock", func() bool { return slices.Contains(s.sessionsHeard(conn)["Lock"], s.Login1.Session()) })
		s.must(s.Login1.AskSessionToLock(one, true))
		s.lock("locked")
		s.started("locker.service", i+1)
		s.must(s.Login1.AskSessionToLock(one, false))
		s.lock("unlocked")
		s.systemctl("reset-failed") // makes nothing of how often units were started
	}
}

// The sessions of two consoles, and one from elsewhere with a screen.
func TestALockedScreenStaysLockedUntilEveryOneIsUnlocked(t *testing.T) {
	s := begin(t, sandbox.Options{NoSession: true})
	s.enable("locker.service", whileUnit("lock.target"))
	s.install()
	var all []int
	for _, kind := range []fakes.SessionKind{{Type: "tty", Seat: "seat0"}, {Type: "tty", Seat: "seat0"}, {Type: "x11"}} {
		all = append(all, s.logsIn(kind))
	}
	s.lock("unlocked")
	for i, one := range all {
		s.must(s.Login1.AskSessionToLock(one, true))
		s.lock("locked")
		s.must(s.Login1.AskSessionToLock(one, false))
		s.lock("unlocked")
		s.started("locker.service", i+1)
	}
	s.must(s.Login1.AskSessionToLock(all[0], true))
	s.lock("locked")
	s.must(s.Login1.AskSessionToLock(all[1], true))
	s.must(s.Login1.AskSessionToLock(all[0], false))
	s.must(s.Login1.EndSession(all[2]))
	s.knows("session 1: Locked=false LockedHint=false, session 2: Locked=true LockedHint=false", true)
	s.settle()
	s.lock("locked")
	s.must(s.Login1.AskSessionToLock(all[1], false))
	s.lock("unlocked")
}

// A sleep and a Lock lock every screen again: an earlier unlock no longer counts
// when the last locked session ends.
func TestAnUnlockBeforeTheLatestLockDoesNotCount(t *testing.T) {
	for name, lockAgain := range map[string]func(s *scene, last int){
		"a sleep": func(s *scene, _ int) {
			s.must(s.Login1.PrepareForSleep(true))
			s.expect("active", "sleep.target")
			s.locks(0)
			s.must(s.Login1.PrepareForSleep(false))
			s.expect("inactive", "sleep.target")
		},
		"a sleep without a word of waking": func(s *scene, _ int) {
			for range 2 {
				s.must(s.Login1.PrepareForSleep(true))
				s.expect("active", "sleep.target")
				s.Login1.Wake()
			}
			s.must(s.Login1.PrepareForSleep(false))
			s.expect("inactive", "sleep.target")
		},
		"Lock": func(s *scene, last int) { s.must(s.Login1.AskSessionToLock(last, true)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, sandbox.Options{NoSession: true})
			s.enable("locker.service", whileUnit("lock.target"))
			s.install()
			var both []int
			for range 2 {
				both = append(both, s.logsIn(fakes.SessionKind{Type: "wayland", Seat: "seat0"}))
			}
			s.lock("unlocked")
			for _, one := range both {
				s.must(s.Login1.AskSessionToLock(one, true))
			}
			s.lock("locked")
			s.must(s.Login1.AskSessionToLock(both[0], false))
			s.knows("session 1: Locked=false LockedHint=false, session 2: Locked=true LockedHint=false", true)
			lockAgain(s, both[1])
			s.must(s.Login1.EndSession(both[1]))
			s.knows("Locked=false LockedHint=false", true) // of the session that is left
			s.settle()
			s.lock("locked")
			s.expect("active", "locker.service")
			s.started("locker.service", 1)
			s.must(s.Login1.AskSessionToLock(both[0], false))
			s.lock("unlocked")
		})
	}
}

// The compositor takes its hint back when the locker has long ended.
func TestAHintThatFallsLateStartsNoLocker(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", lockerUnit)
	s.install()
	for i := range 2 {
		s.askFor("locked")
		s.must(s.Login1.SetLockedHint(true))
		s.knows("Locked=true LockedHint=true", true)
		s.write(sandbox.Home+"/unlocked", "")
		s.expect("inactive", "locker.service")
		s.lock("unlocked")
		s.settle()
		s.systemctl("reload", bridgeUnit)
		s.systemctl("restart", bridgeUnit)
		s.secondBridge()
		s.settle()
		s.lock("unlocked")
		s.must(s.Login1.SetLockedHint(false))
		s.knows("Locked=false LockedHint=false", true)
		s.lock("unlocked")
		s.started("locker.service", i+1)
	}
}

// The stop of unlock.target waits for a unit, and is still queued when the lock
// that brought it is taken back.
func TestALockThatIsTakenBackAtOnceLeavesTheScreenUnlocked(t *testing.T) {
	asked := func(s *scene, locked bool) error { return s.Login1.AskToLock(locked) }
	hinted := func(s *scene, locked bool) error { return s.Login1.SetLockedHint(locked) }
	for name, tell := range map[string]func(*scene, bool) error{"by signals": asked, "by the hint": hinted} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, sandbox.Options{})
			s.enable("music.service", "[Unit]\nPartOf=unlock.target\nAfter=unlock.target\n[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 0.1\n[Install]\nWantedBy=unlock.target\n")
			s.install()
			s.lock("unlocked")
			s.must(tell(s, true)) // the bridge learns what conflicts
			s.lock("locked")
			for pause := range 12 {
				s.must(tell(s, false))
				s.lock("unlocked")
				s.expect("active", "music.service")
				s.systemctl("reset-failed") // makes nothing of how often units were started
				s.must(tell(s, true))
				time.Sleep(time.Duration(2*pause) * time.Millisecond) // what is tested, not a wait
				s.must(tell(s, false))
				s.settle()
				s.lock("unlocked")
				s.expect("active", "music.service")
				s.must(tell(s, true))
				s.lock("locked")
			}
			s.neverBoth("lock.target", "unlock.target")
		})
	}
}

// The stop of a target says nothing about the screen: the lock yields only to a
// start of the other target.
func TestATargetOfTheLockThatIsJustStoppedIsStartedAgain(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", "[Unit]\nPropagatesStopTo=lock.target\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=lock.target\n")
	s.install()
	s.lock("unlocked")
	s.systemctl("stop", "unlock.target")
	s.says("something else has stopped unlock.target; putting it right")
	s.lock("unlocked")
	s.started("unlock.target", 2)
	s.askFor("locked")
	for i, stop := range []string{"lock.target", "locker.service"} {
		s.systemctl("stop", "--no-block", stop) // since the new start may cancel the stop
		s.started("lock.target", i+2)
		s.lock("locked")
		s.expect("active", "locker.service")
	}
	s.waitLog("something else has stopped lock.target; putting it right")
	s.started("locker.service", 2)
	s.systemctl("start", "unlock.target")
	s.lock("unlocked")
	s.systemctl("start", "lock.target")
	s.lock("locked")
	s.settle()
	s.lock("locked")
	s.started("lock.target", 4)
	s.started("unlock.target", 3)
	s.neverBoth("lock.target", "unlock.target")
}

// The locker stops the target by itself, after the password and after a crash.
func TestALockerThatStopsItsTargetUnlocksOnlyByItsGoodEnd(t *testing.T) {
	s := lockedBy(t, "[Unit]\nPartOf=lock.target\n[Service]\nExecStart=/bin/sh -c '"+typed+"'\nExecStopPost=systemctl --user stop --no-block lock.target\n[Install]\nWantedBy=lock.target\n")
	s.systemctl("kill", "-s", "SEGV", "locker.service")
	s.started("locker.service", 2)
	s.lock("locked")
	s.write(sandbox.Home+"/typed", "")
	s.lock("unlocked")
	s.started("locker.service", 2)
	s.neverBoth("lock.target", "unlock.target")
}
