package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const installedUnits = sandbox.Home + "/.local/share/systemd/user/"

// says waits until the bridge's log contains some words, and checks that it
// says them once.
func (s *scene) says(words string) {
	s.Helper()
	s.waitLog(words)
	if log := s.log(); strings.Count(log, words) != 1 {
		s.Errorf("the log does not say once %q:\n%s", words, log)
	}
}

func TestTargetMasked(t *testing.T) {
	s := beginOnline(t)
	s.systemctl("mask", "internet-offline.target")
	s.must(s.Uplink.Unplug(s.ctx))
	// A target that is not true is stopped even if its counterpart cannot be
	// started.
	s.expect("inactive", "internet-online.target", "sync.service")
	s.says("cannot start internet-offline.target")
	s.says("next=\"nm-session-bridge doctor\"")
	s.status("internet offline (internet-offline.target: Unit internet-offline.target is masked.)")
	s.systemctl("unmask", "internet-offline.target")
	s.offline()
	s.must(s.Uplink.Plug(s.ctx))
	s.online()
	s.started("sync.service", 2)
}

func TestTargetRemoved(t *testing.T) {
	s := beginOnline(t)
	s.must(os.Remove(installedUnits + "internet-offline.target"))
	s.must(s.User.DaemonReload())
	s.must(s.Uplink.Unplug(s.ctx))
	s.expect("inactive", "internet-online.target", "sync.service")
	s.says("cannot start internet-offline.target")
	s.says("next=\"nm-session-bridge install\"")
	s.install()
	s.offline()
}

func TestTargetOfTheOtherPositionStartedByHand(t *testing.T) {
	s := beginOnline(t)
	_, _ = s.Systemctl("start", "internet-offline.target") // fails if its job is replaced in time
	s.says("something else has started internet-offline.target; putting it right")
	s.online()
	s.expect("active", "sync.service")
}

// By then the bridge knows that the start of one stops the other.
func TestTargetOfTheOtherPositionStartedByHandAfterAChange(t *testing.T) {
	s := beginOnline(t)
	s.must(s.Uplink.Unplug(s.ctx))
	s.offline()
	s.must(s.Uplink.Plug(s.ctx))
	s.online()
	_, _ = s.Systemctl("start", "internet-offline.target") // fails if its job is replaced in time
	s.says("something else has started internet-offline.target; putting it right")
	s.online()
	s.neverBoth("internet-online.target", "internet-offline.target")
}

func TestTargetThatIsDownStoppedByHand(t *testing.T) {
	s := beginOnline(t)
	s.systemctl("stop", "internet-offline.target")
	s.settle()
	s.online()
	if log := s.log(); strings.Contains(log, "something else") {
		t.Errorf("nothing was moved:\n%s", log)
	}
	s.started("internet-online.target", 1)
}

func TestJobOfATargetCanceledByHand(t *testing.T) {
	s := beginOnline(t)
	s.enable("slow.service", "[Unit]\nAfter=first.service\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=internet-offline.target\n")
	s.must(s.Uplink.Unplug(s.ctx))
	s.expect("activating", "slow.service")
	s.systemctl("cancel", s.user("systemctl --user list-jobs --no-legend | awk '$2 == \"internet-offline.target\" { print $1 }'"))
	s.waitLog("something else has canceled the start job of internet-offline.target")
	s.systemctl("disable", "slow.service")
	s.systemctl("stop", "slow.service")
	s.offline()
}

func TestTargetStoppedByHand(t *testing.T) {
	s := beginOnline(t)
	s.systemctl("stop", "internet-online.target")
	s.says("something else has stopped internet-online.target; putting it right")
	s.online()
	s.started("internet-online.target", 2)
}

func TestTargetStoppedByHandWithNobodyElseListening(t *testing.T) {
	s := beginOnline(t)
	// The user manager signals its units' states only if a client has subscribed.
	s.must(s.timeline.Close())
	s.systemctl("stop", "internet-online.target")
	s.waitLog("something else has stopped internet-online.target; putting it right")
	s.record()
	s.online()
}

func TestSomethingElseNeverGivesUp(t *testing.T) {
	s := beginOnline(t)
	s.write("fighter.service", "[Service]\nExecStart=/bin/sh -c 'while :; do systemctl --user start internet-offline.target; done'\n")
	s.systemctl("daemon-reload")
	s.systemctl("start", "fighter.service")
	s.waitLog("something else keeps moving")
	s.systemctl("stop", "fighter.service")
	s.must(s.Uplink.Unplug(s.ctx))
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityNone))
	s.status("internet offline")
	s.offline()
	s.must(s.Uplink.Plug(s.ctx))
	s.online()
}

// A fight that has ended leaves every target right.
func TestSomethingElseGivesUp(t *testing.T) {
	s := beginOnline(t)
	s.user("for i in $(seq 40); do systemctl --user start internet-offline.target; sleep 0.15; done")
	s.waitLog("something else keeps moving")
	s.online()
}

func TestOneUnitFailing(t *testing.T) {
	s := beginOnline(t)
	s.enable("broken.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=internet-offline.target\n")
	s.must(s.Uplink.Unplug(s.ctx))
	s.offline()
	s.expect("failed", "broken.service")
	s.must(s.Uplink.Plug(s.ctx))
	s.online()
	s.started("sync.service", 2)
	s.started("broken.service", 1)
}

func TestTargetThatNeedsAFailingUnit(t *testing.T) {
	s := beginOnline(t)
	s.write("broken.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
	s.write(".config/systemd/user/internet-offline.target.d/needs.conf", "[Unit]\nRequires=broken.service\nAfter=broken.service\n")
	s.must(s.User.DaemonReload())
	s.must(s.Uplink.Unplug(s.ctx))
	s.expect("inactive", "internet-online.target", "sync.service")
	s.says("the start job of internet-offline.target ended with result dependency")
	// The unit is mended, and the reload makes the bridge try again.
	s.write("broken.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
	s.must(s.User.DaemonReload())
	s.offline()
	s.must(s.Uplink.Plug(s.ctx))
	s.online()
}

func TestTargetSkippedByACondition(t *testing.T) {
	s := beginOnline(t)
	s.write(".config/systemd/user/internet-offline.target.d/never.conf", "[Unit]\nConditionPathExists=/nowhere\n")
	s.must(s.User.DaemonReload())
	s.must(s.Uplink.Unplug(s.ctx))
	s.says("the start job of internet-offline.target is done but the target is inactive")
	s.settle()
	s.expect("inactive", "internet-online.target", "internet-offline.target")
}

func TestFlipBackCancelsASlowOneshot(t *testing.T) {
	s := beginOnline(t)
	s.enable("slow.service", "[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=internet-offline.target\n")
	s.must(s.Uplink.Unplug(s.ctx))
	s.expect("activating", "slow.service")
	s.expect("inactive", "internet-online.target")
	// Neither this bridge nor a new one starts a target again that it holds back.
	s.systemctl("restart", bridgeUnit)
	s.status("internet offline")
	s.must(s.Uplink.Plug(s.ctx))
	s.expect("active", "internet-online.target", "sync.service")
	s.expect("inactive", "internet-offline.target")
	s.systemctl("stop", "slow.service")
	s.started("slow.service", 1)
}
