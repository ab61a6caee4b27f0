package scenes

import "testing"

func TestLogindRestarts(t *testing.T) {
	s := beginOpen(t)
	s.enable(lidUnits())
	s.install()
	s.lid(lidOpen)
	s.record()

	s.restartLogind("lid open")
	s.move("closed")
	s.lid(lidClosed)
	// A starting logind of systemd 257 signals for a moment that the closed lid
	// is open.
	s.restartLogind("lid closed")
	s.move("open")
	s.lid(lidOpen)
	s.starts(map[string]int{
		"closed.service": 1, lidClosed: 1, "opened.service": 1, lidOpen: 1, bridgeUnit: 0,
	})
	s.oneLock()
}

// restartLogind restarts logind and returns when the bridge trusts the new one.
func (s *scene) restartLogind(status string) {
	s.Helper()
	s.root("systemctl restart systemd-logind")
	s.sure(status)
}
