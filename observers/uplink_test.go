package observers

import (
	"testing"
	"time"
)

func TestUplink(t *testing.T) {
	grace := policy().GoneGrace
	facts := func(kind string, startup bool) Facts {
		return Facts{values: map[string]any{"PrimaryConnectionType": kind, "Startup": startup}}
	}
	for _, test := range []struct {
		name     string
		facts    Facts
		position string
		after    time.Duration
	}{
		{"Ethernet", facts("802-3-ethernet", false), "wired", 0},
		{"a bond of links", facts("bond", false), "wired", 0},
		{"a bridge of links", facts("bridge", true), "wired", 0},
		{"a part of a link", facts("ipvlan", false), "wired", 0},
		{"an encrypted link", facts("macsec", false), "wired", 0},
		{"Wi-Fi", facts("802-11-wireless", true), "wifi", 0},
		{"cellular", facts("gsm", false), "cellular", 0},
		{"a tunnel", facts("wireguard", false), "other", 0},
		{"a type that is new", facts("quantum\n", false), "other", 0},
		{"no default route", facts("", false), None, 0},
		{"starting up", facts("", true), None, grace},
		{"away", Facts{Problem: "NetworkManager is not running"}, Unknown, grace},
		{"says nothing", Facts{}, Unknown, grace},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := uplink(policy())(Snapshot{networkManager: test.facts})
			if got.Position != test.position || got.Grace != test.after {
				t.Errorf("got %+v", got)
			}
		})
	}
}
