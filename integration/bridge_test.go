package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const bridgeUnit = "nm-session-bridge.service"

// beginOnline brings up a sandbox that is online, with a service, a oneshot and
// the bridge, all started once.
func beginOnline(t *testing.T) *scene {
	t.Helper()
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.enable("on.service", onceUnit("internet-online.target"))
	s.enable("open.service", onceUnit("lid-open.target"))
	s.flags("--gone-grace=1h")
	s.install()
	s.online()
	s.lid("open")
	s.started("on.service", 1)
	s.started("open.service", 1)
	return s
}

// undisturbed checks that no user service noticed anything, and that the bridge
// still works.
func (s *scene) undisturbed() {
	s.Helper()
	s.status("internet online")
	s.status("lid open")
	s.settle()
	for _, unit := range []string{"sync.service", "on.service", "open.service", "internet-online.target", "lid-open.target"} {
		s.started(unit, 1)
	}
	s.started("internet-offline.target", 0)
	s.must(s.Uplink.Unplug(s.ctx))
	s.offline()
	s.expect("inactive", "sync.service")
}

// secondBridge waits until the bridge runs in another process than the first.
func (s *scene) secondBridge() {
	s.Helper()
	s.must(s.timeline.WaitStarts(s.ctx, bridgeUnit, 2))
	s.expect("active", bridgeUnit)
}

func TestBridgeKilled(t *testing.T) {
	s := beginOnline(t)
	s.systemctl("kill", "-s", "KILL", bridgeUnit)
	s.secondBridge()
	s.undisturbed()
}

func TestBridgeAborted(t *testing.T) {
	s := beginOnline(t)
	// The watchdog and a panic end it in this way.
	s.systemctl("kill", "-s", "ABRT", bridgeUnit)
	s.secondBridge()
	s.undisturbed()
}

func TestBridgeHanging(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.write(".config/systemd/user/"+bridgeUnit+".d/watchdog.conf", "[Service]\nWatchdogSec=2s\n")
	s.install()
	s.online()
	s.systemctl("kill", "-s", "STOP", bridgeUnit)
	s.secondBridge()
	s.online()
	s.started("sync.service", 1)
}

func TestBridgeWithWrongFlagsIsNotStartedAgainAndAgain(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.flags("--frobnicate")
	s.fails(1, program+" install --now")
	s.expect("failed", bridgeUnit)
	s.says("unknown flag --frobnicate")
	s.started(bridgeUnit, 1)
}

// A drop-in may be older than the rule that long flags take two dashes.
func TestBridgeWithFlagsOfOneDashSaysHowToWriteThem(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.flags("-switches=internet,lid")
	s.fails(1, program+" install --now")
	s.expect("failed", bridgeUnit)
	s.says("unknown flag -switches=internet,lid: long flags take two dashes, write --switches=internet,lid")
	f := s.finds("", bridgeUnit, "wrong flags in ", "override.conf")
	if !strings.HasSuffix(f.mend, "write --switches=internet,lid") {
		t.Errorf("%q does not say how to write the flag", f.mend)
	}
}

func TestBridgeOfOneSwitchKeepsItsHandsOffTheOthers(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.flags("--switches=lid")
	s.install()
	s.lid("open")
	s.systemctl("start", "internet-offline.target")
	s.settle()
	s.expect("active", "internet-offline.target")
	s.started("internet-online.target", 0)
}

func TestBridgeRestarted(t *testing.T) {
	s := beginOnline(t)
	s.systemctl("restart", bridgeUnit)
	s.secondBridge()
	s.undisturbed()
}

func TestBridgeStoppedLeavesTheTargets(t *testing.T) {
	s := beginOnline(t)
	s.systemctl("stop", bridgeUnit)
	s.expect("inactive", bridgeUnit)
	if result := s.systemctl("show", "-P", "Result", "-P", "ExecMainStatus", bridgeUnit); result != "success\n0" && result != "0\nsuccess" {
		t.Errorf("the stopped bridge ended with %q", result)
	}
	s.online()
	s.systemctl("start", bridgeUnit)
	s.undisturbed()
}

func TestBridgeRestartedInDoubtKeepsThePosition(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.flags("--limited-grace=1h --gone-grace=1h")
	s.install()
	s.online()
	s.check(sandbox.LimitedRefuse)
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityLimited))
	s.systemctl("restart", bridgeUnit)
	s.status("internet online (in doubt: Connectivity=Limited")
	s.must(s.NM.Kill(s.ctx))
	s.systemctl("restart", bridgeUnit)
	s.status("internet online (in doubt: NetworkManager is not running)")
	s.started("sync.service", 1)
	s.started("internet-offline.target", 0)
}

func TestBridgeUpgraded(t *testing.T) {
	s := beginOnline(t)
	// Trailing bytes make another program with the same behaviour.
	content, err := os.ReadFile(program)
	s.must(err)
	newer := program + "-newer"
	s.must(os.WriteFile(newer, append(content, "newer"...), 0o755))
	out := s.user(newer + " install --now")
	if !strings.Contains(out, "restarted "+bridgeUnit) || strings.Contains(out, ".target") {
		t.Errorf("the upgrade said:\n%s", out)
	}
	s.secondBridge()
	s.undisturbed()
}

func TestHangupReadsEverythingAnew(t *testing.T) {
	s := beginOnline(t)
	s.Login1.MoveLidUnseen(true)
	s.systemctl("reload", bridgeUnit)
	s.lid("closed")
	s.Login1.MoveLidUnseen(false)
	s.systemctl("reload", bridgeUnit)
	s.lid("open")
	s.started(bridgeUnit, 1)
	s.started("sync.service", 1)
	s.started("on.service", 1)
}

func TestUserManagerReloadsAndReexecutes(t *testing.T) {
	s := beginOnline(t)
	s.must(s.User.DaemonReload())
	s.must(s.User.DaemonReexec())
	s.undisturbed()
	s.must(s.Uplink.Plug(s.ctx))
	s.online()
	s.started(bridgeUnit, 1)
}

func TestLogoutIsNoFailure(t *testing.T) {
	s := beginOnline(t)
	before := s.log()
	s.must(s.User.Stop(s.ctx))
	log := s.log()
	if !strings.Contains(log, "observing internet=online") {
		t.Errorf("the log is not there:\n%s", log)
	}
	for line := range strings.Lines(strings.TrimPrefix(log, before)) {
		if strings.Contains(line, "control group") && strings.Contains(line, "ignoring") {
			continue // newer user managers complain about what a hybrid hierarchy keeps in version 1
		}
		for _, word := range []string{"error", "cannot", "Failed", "lost"} {
			if strings.Contains(line, word) {
				t.Errorf("a logout made the bridge say %q:\n%s", word, log)
			}
		}
	}
}
