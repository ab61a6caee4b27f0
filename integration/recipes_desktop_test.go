package integration

import (
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// The real notify-send talks to the real dunst, which the session bus starts.
func TestNotificationsAreShown(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.install()
	s.online()
	s.startX()
	_, next, _ := strings.Cut(s.user(program+" recipe add notify"), "next: ")
	s.user(next)
	s.clean("")
	isShown := func() bool {
		return strings.Contains(s.user(inX+"xwininfo -name Dunst 2>&1 || true"), "Map State: IsViewable")
	}
	shows := func(words string) {
		s.Helper()
		s.until("dunst shows something", isShown)
		s.user("dunstctl close-all")
		if history := s.user("dunstctl history"); !strings.Contains(history, words) {
			s.Errorf("dunst has not shown %q:\n%s", words, history)
		}
		s.until("nothing is shown", func() bool { return !isShown() })
	}
	s.unplug()
	shows("Internet: offline")
	s.plug()
	shows("Internet: online")
}
