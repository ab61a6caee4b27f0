package sandbox_test

import (
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const unitDir = ".config/systemd/user/"

// timeline returns a recording that the end of the test closes, and prints if the test
// failed.
func timeline(t *testing.T, sb *sandbox.Sandbox) *sandbox.Timeline {
	t.Helper()
	recording, err := sb.Timeline(deadline(t))
	must(t, err)
	t.Cleanup(func() {
		recording.Close()
		if t.Failed() {
			for _, event := range recording.Events() {
				t.Log(event)
			}
		}
	})
	return recording
}

func systemctl(t *testing.T, sb *sandbox.Sandbox, args ...string) string {
	t.Helper()
	out, err := sb.Systemctl(args...)
	must(t, err)
	return out
}

func TestTimeline(t *testing.T) {
	sb := up(t, sandbox.Options{NoNetworkManager: true})
	units := map[string]string{
		"day.target":      "[Unit]\nWants=daemon.service once.service\n",
		"daemon.service":  "[Unit]\nPartOf=day.target\n[Service]\nExecStart=sleep 1d\n",
		"once.service":    "[Unit]\nAfter=daemon.service\n[Service]\nType=oneshot\nExecStart=echo once only\n",
		"failing.service": "[Unit]\nStartLimitBurst=3\n[Service]\nRestart=on-failure\nRestartSec=0\nExecStart=false\n",
	}
	for name, content := range units {
		must(t, sb.WriteFile(unitDir+name, []byte(content), 0o644))
	}
	recording := timeline(t, sb)
	must(t, sb.User.DaemonReload())

	systemctl(t, sb, "start", "day.target")
	must(t, recording.Wait(deadline(t), "day.target", "active"))
	must(t, recording.Wait(deadline(t), "daemon.service", "active"))
	must(t, recording.Settle(deadline(t)))
	systemctl(t, sb, "start", "once.service")
	must(t, recording.Settle(deadline(t)))
	expectStarts(t, recording, map[string]int{"day.target": 1, "daemon.service": 1, "once.service": 2})
	if state := recording.State("once.service"); state != "inactive" {
		t.Errorf("once.service is %s", state)
	}

	systemctl(t, sb, "stop", "day.target")
	must(t, recording.Wait(deadline(t), "daemon.service", "inactive"))

	systemctl(t, sb, "start", "failing.service")
	must(t, recording.Wait(deadline(t), "failing.service", "failed"))
	must(t, recording.WaitStarts(deadline(t), "failing.service", 3))
	must(t, recording.Settle(deadline(t)))
	expectStarts(t, recording, map[string]int{"failing.service": 3, "daemon.service": 1})
	if gaps := recording.Interruptions(); len(gaps) != 0 {
		t.Errorf("interrupted at %v", gaps)
	}

	journal, err := sb.Journal(deadline(t), "-t", "echo", "-o", "cat") // selected by unit, journald may miss such a short process
	must(t, err)
	if journal != "once only\nonce only" {
		t.Errorf("journal of once.service: %s", journal)
	}
}

func expectStarts(t *testing.T, recording *sandbox.Timeline, want map[string]int) {
	t.Helper()
	for unit, starts := range want {
		if got := recording.Starts(unit); got != starts {
			t.Errorf("%s was started %d times, want %d", unit, got, starts)
		}
	}
}

func TestTimelineSurvivesReexec(t *testing.T) {
	sb := up(t, sandbox.Options{NoNetworkManager: true})
	must(t, sb.WriteFile(unitDir+"before.service", []byte("[Service]\nExecStart=sleep 1d\n"), 0o644))
	must(t, sb.WriteFile(unitDir+"after.service", []byte("[Service]\nType=oneshot\nExecStart=true\n"), 0o644))
	systemctl(t, sb, "start", "before.service")
	recording := timeline(t, sb)
	must(t, sb.User.DaemonReexec())
	systemctl(t, sb, "start", "after.service")
	must(t, recording.WaitStarts(deadline(t), "after.service", 1))
	must(t, recording.Settle(deadline(t)))
	expectStarts(t, recording, map[string]int{"before.service": 0, "after.service": 1})
	if state := recording.State("before.service"); state != "active" {
		t.Errorf("before.service is %s", state)
	}
	if gaps := recording.Interruptions(); len(gaps) != 1 {
		t.Errorf("interruptions: %v, want one", gaps)
	}
}

func TestUserManagerLife(t *testing.T) {
	sb := up(t, sandbox.Options{NoNetworkManager: true})
	for _, end := range []func() error{
		func() error { return sb.User.Stop(deadline(t)) },
		func() error { return sb.User.Kill(deadline(t)) },
	} {
		recording := timeline(t, sb)
		must(t, end())
		if err := recording.Wait(deadline(t), "default.target", "reloading"); err == nil || recording.Err() == nil {
			t.Error("the timeline hides that its bus is gone")
		}
		must(t, sb.User.Start(deadline(t)))
		systemctl(t, sb, "is-active", "default.target")
	}
}
