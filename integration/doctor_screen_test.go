package integration

import (
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func TestDoctorOnAUnitThatFoundNoScreen(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.standIn(map[string]string{"gajim": "#!/bin/sh\n[ \"$WAYLAND_DISPLAY\" ] && exec sleep infinity\necho 'cannot open display: ' >&2\nsleep 0.3\nexit 1\n"})
	s.enable("chat.service", whileUnit("internet-online.target"))
	s.write("chat.service", strings.Replace(whileUnit("internet-online.target"), "/bin/sleep infinity", "gajim", 1))
	// As the systemd integration of a compositor does.
	s.write("session.target", "[Unit]\nBindsTo=graphical-session.target\nBefore=graphical-session.target\n")
	s.systemctl("daemon-reload")
	s.systemctl("start", "chat.service")
	s.expect("failed", "chat.service")
	s.until("the journal has what it said", func() bool {
		return strings.Contains(s.user("journalctl --user -u chat.service -o cat"), "cannot open display")
	})
	f := s.finds("", "chat.service, which internet-online.target wants, has failed")
	if !strings.HasPrefix(f.why, "it found no screen") || !strings.HasPrefix(f.mend, "# by hand: make your session start graphical-session.target") {
		t.Errorf("it says %q", f)
	}
	s.systemctl("set-environment", "WAYLAND_DISPLAY=wayland-1")
	s.systemctl("start", "session.target")
	f = s.finds("", "chat.service, which internet-online.target wants, has failed")
	for range 2 {
		s.user(f.mend)
		s.clean("")
	}
	s.expect("active", "chat.service")
	s.systemctl("stop", "session.target")
	s.expect("inactive", "graphical-session.target", "chat.service")
	s.clean("")
	s.systemctl("start", "session.target")
	s.expect("active", "chat.service")
	s.clean("")

	// This failure has nothing to do with a screen.
	s.enable("other.service", strings.Replace(whileUnit("internet-online.target"), "/bin/sleep infinity", "sh -c 'echo displays nothing; exit 1'", 1))
	s.systemctl("start", "other.service")
	s.expect("failed", "other.service")
	if f := s.finds("", "other.service, which internet-online.target wants, has failed"); !strings.HasPrefix(f.mend, "# by hand: find out why with journalctl --user -u other.service") {
		t.Errorf("it says %q", f)
	}
}
