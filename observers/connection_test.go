package observers

import (
	"slices"
	"strings"
	"testing"
	"time"

	nm "github.com/Wifx/gonetworkmanager/v2"
)

// active returns the facts of an active connection.
func active(name, kind string, isVPN bool, state nm.NmActiveConnectionState) Facts {
	return Facts{values: map[string]any{"Id": name, "Type": kind, "Vpn": isVPN, "State": uint32(state)}}
}

func TestConnectionsAndVPN(t *testing.T) {
	const (
		activating = nm.NmActiveConnectionStateActivating
		activated  = nm.NmActiveConnectionStateActivated
	)
	lo, home := active("lo", "loopback", false, activated), active("Home Wifi", "802-11-wireless", false, activated)
	grace := policy().GoneGrace
	for _, test := range []struct {
		name            string
		facts           Facts
		connection, vpn string
		held            bool
	}{
		{"nothing", Facts{}, None, "down", false},
		{"the loopback does not count", Facts{children: []Facts{lo}}, None, "down", false},
		{"two, ordered by name", Facts{children: []Facts{home, active("C", "gsm", false, activated), lo}}, `C Home\x20Wifi`, "down", false},
		{"two with the same name", Facts{children: []Facts{home, home}}, `Home\x20Wifi`, "down", false},
		{"not up yet", Facts{children: []Facts{active("wg", "wireguard", false, activating)}}, None, "down", false},
		{"WireGuard", Facts{children: []Facts{home, active("wg", "wireguard", false, activated)}}, `Home\x20Wifi wg`, "up", false},
		{"a plugin's VPN", Facts{children: []Facts{active("Büro", "vpn", true, activated)}}, `B\xc3\xbcro`, "up", false},
		{"starting", Facts{children: []Facts{home}, values: map[string]any{"Startup": true}}, `Home\x20Wifi`, "down", true},
		{"away", Facts{Problem: "NetworkManager is not running"}, Unknown, Unknown, true},
		{"too long a name", Facts{children: []Facts{active(strings.Repeat("x", 238), "bridge", false, activated)}}, None, "down", false},
		{"no name", Facts{children: []Facts{active("", "bridge", false, activated)}}, None, "down", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			snapshot := Snapshot{connections: test.facts}
			c, v := connection(policy())(snapshot), vpn(policy())(snapshot)
			if c.Position != test.connection || v.Position != test.vpn {
				t.Errorf("connection %q, vpn %q, want %q and %q", c.Position, v.Position, test.connection, test.vpn)
			}
			if (c.Grace == grace) != test.held || (v.Grace == grace) != test.held {
				t.Errorf("they are held for %v and %v", c.Grace, v.Grace)
			}
		})
	}
}

func TestReasonsAreSafeForATerminal(t *testing.T) {
	up := []Facts{active("Café\n\x1b[2J", "wireguard", false, nm.NmActiveConnectionStateActivated)}
	for _, reason := range []string{readConnection(up).Reason, readVPN(up).Reason} {
		if !strings.Contains(reason, `"Café\n\x1b[2J"`) {
			t.Errorf("a reason is %q", reason)
		}
	}
	facts := Facts{children: []Facts{{Path: "/org/freedesktop/NetworkManager/ActiveConnection/1", values: up[0].values}}}
	if got := Connections().Describe(facts)["NetworkManager.ActiveConnection.1.Id"]; got != `"Café\n\x1b[2J"` {
		t.Errorf("a fact is %q", got)
	}
}

func TestAVPNOfAPluginEndsWithNetworkManager(t *testing.T) {
	const activated = nm.NmActiveConnectionStateActivated
	office, tunnel := active("Office", "vpn", true, activated), active("wg", "wireguard", false, activated)
	grace := policy().GoneGrace
	for _, test := range []struct {
		name     string
		up       []Facts
		position string
		grace    time.Duration
		gone     []string
	}{
		{"a plugin's", []Facts{office}, "down", 0, []string{"Office"}},
		{"WireGuard", []Facts{tunnel}, Unknown, grace, nil},
		{"both", []Facts{office, tunnel}, Unknown, grace, []string{"Office"}},
		{"none", nil, Unknown, grace, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, v := connection(policy()), vpn(policy())
			up, away := Snapshot{connections: {children: test.up}}, Snapshot{connections: {Problem: "NetworkManager is stopping"}}
			c(up)
			v(up)
			if got := v(away); got.Position != test.position || got.Grace != test.grace {
				t.Errorf("vpn: %+v", got)
			}
			if got := c(away); got.Position != Unknown || got.Grace != grace || !slices.Equal(got.Gone, test.gone) {
				t.Errorf("connection: %+v", got)
			}
		})
	}
}
