package scenes

import "testing"

const (
	idle = "idle.target"
	busy = "busy.target"
)

// A desktop sets the hint for its session. logind computes its own hint for
// consoles.
func TestIdle(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.enable(map[string]string{"dim.service": while(idle), "busy.service": once(busy)})
	s.install()
	session := s.enter("seat", append(atTheSeat("tty7"), "--setenv=XDG_SESSION_TYPE=wayland")...)
	s.only([]string{idle, busy}, []string{busy})
	s.record()
	for range 2 {
		s.idleHint(session, "true")
		s.only([]string{idle, busy}, []string{idle})
		s.expect("active", "dim.service")
		s.idleHint(session, "false")
		s.only([]string{idle, busy}, []string{busy})
		s.expect("inactive", "dim.service")
	}
	s.starts(map[string]int{idle: 2, busy: 2, "dim.service": 2, "busy.service": 2})
}

// idleHint does what a desktop does.
func (s *scene) idleHint(session, hint string) {
	s.Helper()
	s.user("busctl call " + logindName + " " + string(logindPath) + "/session/_3" + session + " " + logindName + ".Session SetIdleHint b " + hint)
}
