package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// What systemd-lock-handler leaves behind are its service and its targets.
func TestDoctorOnARival(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	const rival = "systemd-lock-handler.service"
	content := "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=default.target\n"
	s.must(os.MkdirAll("/run/systemd/user", 0o755))
	s.must(os.WriteFile("/run/systemd/user/"+rival, []byte(content), 0o644)) // as a package
	s.systemctl("daemon-reload")
	s.clean("") // nobody uses it
	for _, how := range []string{"enable", "start"} {
		s.systemctl(how, rival)
		f := s.finds("", rival+" does the same as nm-session-bridge.service")
		for range 2 {
			s.user(f.mend)
			s.clean("")
		}
		if state := s.systemctl("show", "-P", "ActiveState", rival); state != "inactive" {
			t.Errorf("it is %s", state)
		}
		s.systemctl("unmask", rival)
		s.systemctl("disable", rival)
	}
	s.must(os.Remove("/run/systemd/user/" + rival))
	s.enable(rival, content)
	if f := s.finds("", rival); !strings.HasPrefix(f.mend, "# by hand: systemctl --user stop "+rival) {
		t.Errorf("it is mended by %s", f.mend)
	}
	s.flags("--switches=internet,lid")
	s.systemctl("daemon-reload")
	s.systemctl("restart", bridgeUnit)
	s.clean("") // they share nothing
	s.systemctl("disable", rival)
	s.user("rm -r .config/systemd/user/" + rival + " .config/systemd/user/" + bridgeUnit + ".d && systemctl --user daemon-reload && systemctl --user restart " + bridgeUnit)

	s.write("lock.target", "[Unit]\nDescription=mine\nConflicts=sleep.target unlock.target\nAfter=unlock.target\n")
	s.systemctl("daemon-reload")
	f := s.finds("", "lock.target is overridden by "+sandbox.Home+"/.config/systemd/user/lock.target, which has Conflicts=sleep.target")
	for range 2 {
		s.user(f.mend)
		s.clean("")
	}
	if kept := s.user("cat .config/systemd/user/lock.target"); kept != "[Unit]\nDescription=mine\nConflicts=unlock.target\nAfter=unlock.target" {
		t.Errorf("it is mended to %s", kept)
	}
}

func TestDoctorOnAServiceOfATimerThatHasFailed(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.write("fetch.service", "[Service]\nType=oneshot\nExecStart=no-such-fetcher\n")
	s.enable("fetch.timer", "[Unit]\nAfter=internet-online.target\nPartOf=internet-online.target\n[Timer]\nOnActiveSec=1us\n[Install]\nWantedBy=internet-online.target\n")
	_, _ = s.Systemctl("start", "fetch.timer")
	s.expect("failed", "fetch.service")
	s.finds("", "fetch.service, which fetch.timer starts, has failed: its program no-such-fetcher is missing")
	s.write("fetch.service", "[Service]\nType=oneshot\nExecStart=true\n")
	s.systemctl("daemon-reload")
	s.systemctl("start", "fetch.service")
	s.clean("")
}
