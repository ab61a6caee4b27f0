package integration

import (
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// limitedUnit is a service that systemd starts only once in an interval. The
// interval is long enough for slow machines to move its target within it.
func limitedUnit(more string) string {
	return `[Unit]
After=internet-online.target
PartOf=internet-online.target
StartLimitBurst=1
StartLimitIntervalSec=30s
[Service]
` + more + `
[Install]
WantedBy=internet-online.target
`
}

// remember keeps the user manager from forgetting how often units were started.
// It forgets units to which no loaded unit refers. Between the stop of one
// target and the start of another, that may be all of them.
func (s *scene) remember(units ...string) {
	s.Helper()
	s.write(".config/systemd/user/remember.target", "[Unit]\nAfter="+strings.Join(units, " ")+"\n")
	s.systemctl("start", "remember.target")
}

func TestServicesThatTheStartLimitHitAreStartedOnceMore(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("limited.service", limitedUnit("ExecStart=/bin/sleep infinity"))
	s.enable("stopped.service", limitedUnit("ExecStart=/bin/sleep infinity"))
	s.enable("failing.service", limitedUnit("ExecStart=/bin/false"))
	s.enable("once.service", onceUnit("internet-online.target"))
	s.remember("limited.service", "stopped.service", "failing.service")
	s.install()
	s.online()
	s.expect("active", "limited.service", "stopped.service")
	s.expect("failed", "failing.service")
	s.check(sandbox.PortalRedirect)
	s.portal()
	s.check(sandbox.Full)
	s.online()
	s.expect("failed", "limited.service", "stopped.service")
	s.settle()
	failing := 1
	if s.systemctl("show", "--value", "--property=Result", "failing.service") == "start-limit-hit" {
		failing = 2 // systemd 262 reports the last reason, systemd up to 257 the first
	}
	s.systemctl("reset-failed", "stopped.service") // a user makes it count as stopped this way

	s.says("starting limited.service again")
	s.expect("active", "limited.service")
	s.started("limited.service", 2)
	s.started("stopped.service", 1)
	s.expect("inactive", "stopped.service")
	s.started("failing.service", failing)
	s.expect("failed", "failing.service")
	s.started("once.service", 2)
	s.started("internet-online.target", 2)
}

func TestServicesThatTheStartLimitHitStayStoppedWithTheirTarget(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("limited.service", limitedUnit("ExecStart=/bin/sleep infinity"))
	s.remember("limited.service")
	s.install()
	s.online()
	s.check(sandbox.PortalRedirect)
	s.portal()
	s.check(sandbox.Full)
	s.online()
	s.expect("failed", "limited.service")
	s.check(sandbox.PortalRedirect)
	s.portal()
	s.check(sandbox.Full)
	s.online()
	// Only the second activation starts it again, once.
	s.says("starting limited.service again")
	s.expect("active", "limited.service")
	s.started("limited.service", 2)
}

// A bridge whose clocks run ahead believes that the start limit is over, as may
// happen after a sleep that the user manager does not count.
func TestAServiceThatTheStartLimitHitsOnceMoreIsTriedAgain(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("limited.service", limitedUnit("ExecStart=/bin/sleep infinity"))
	s.write("work.target", "[Unit]\nAfter=internet-online.target\nPartOf=internet-online.target\n[Install]\nWantedBy=internet-online.target\n")
	s.systemctl("daemon-reload")
	s.systemctl("enable", "work.target")
	behind := strings.ReplaceAll(limitedUnit("ExecStart=/bin/sleep infinity"), "internet-online.target", "work.target")
	s.enable("behind.service", behind)
	s.remember("limited.service", "behind.service", "work.target")
	s.write(".config/systemd/user/"+bridgeUnit+".d/ahead.conf", "[Service]\nRestrictNamespaces=no\nSystemCallFilter=\nExecStart=\n"+
		"ExecStart=/usr/bin/unshare --user --map-current-user --time --monotonic 3600 --boottime 3600 %h/.local/bin/nm-session-bridge run\n")
	s.install()
	s.online()
	s.expect("active", "limited.service", "behind.service")
	s.check(sandbox.PortalRedirect)
	s.portal()
	s.check(sandbox.Full)
	s.online()
	s.expect("failed", "limited.service", "behind.service")
	s.expect("active", "limited.service", "behind.service")
	for _, unit := range []string{"limited.service", "behind.service"} {
		s.started(unit, 2)
		if tries := strings.Count(s.log(), "starting "+unit+" again"); tries < 2 {
			t.Errorf("%s was tried again %d times:\n%s", unit, tries, s.log())
		}
	}
	s.started("internet-online.target", 2)
}
