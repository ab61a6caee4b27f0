package scenes

import "testing"

// The name of this file makes its scene the first, before any other moves the
// lid.

func TestBootWithTheLidClosed(t *testing.T) {
	s := begin(t)
	// A logind that has just started says that it is open, for a moment.
	s.until("the lid is as it was at the boot", s.lidIsClosed)
	s.user(bridgeProgram + " install")
	s.login()
	s.lid(lidClosed)
	s.internet(online)
	// The timeline began only after the login.
	if said := s.root("journalctl --quiet --since=" + s.since + " USER_UNIT=" + lidOpen); said != "" {
		t.Errorf("%s was started: %s", lidOpen, said)
	}
	s.starts(map[string]int{lidOpen: 0})
	s.move("open")
	s.lid(lidOpen)
}
