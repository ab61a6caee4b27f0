package integration

import (
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func (s *scene) metered(position string) {
	s.Helper()
	s.status("metered " + position)
	for _, name := range []string{"metered", "unmetered"} {
		state := "inactive"
		if name == position {
			state = "active"
		}
		s.expect(state, "network-"+name+".target")
	}
}

func TestMeteredFollowsTheProfile(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("updates.service", whileUnit("network-unmetered.target"))
	s.install()
	s.metered("unmetered") // as NetworkManager guesses for a cable
	for range 2 {
		s.nmcli("connection", "modify", "home", "connection.metered", "yes")
		s.nmcli("device", "reapply", sandbox.Interface)
		s.metered("metered")
		s.expect("inactive", "updates.service")
		s.nmcli("connection", "modify", "home", "connection.metered", "no")
		s.nmcli("device", "reapply", sandbox.Interface)
		s.metered("unmetered")
	}
	s.started("updates.service", 3)
	s.neverBoth("network-metered.target", "network-unmetered.target")
}

func TestMeteredIsUnknownWhileOffline(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	s.install()
	s.metered("unknown")
	s.nmcli("connection", "modify", "home", "connection.metered", "yes")
	s.must(s.Uplink.Plug(s.ctx))
	s.metered("metered")
	s.must(s.Uplink.Unplug(s.ctx))
	s.metered("unknown")
	s.must(s.Uplink.Plug(s.ctx))
	s.metered("metered")
	s.started("network-unmetered.target", 0)
	s.started("network-metered.target", 2)
}
