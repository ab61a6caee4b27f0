package observers

import (
	"maps"
	"slices"
	"testing"
)

func TestTargetsOfAPosition(t *testing.T) {
	internet := Table()[0]
	for _, test := range []struct {
		position                string
		online, offline, portal bool
	}{
		{"online", true, false, false},
		{"offline", false, true, false},
		{"portal", false, true, true},
		{Unknown, false, false, false},
	} {
		got := internet.Targets(test.position)
		if len(got) != 3 || got["internet-online.target"] != test.online ||
			got["internet-offline.target"] != test.offline || got["internet-portal.target"] != test.portal {
			t.Errorf("%q: %v", test.position, got)
		}
		maps.DeleteFunc(got, func(_ string, active bool) bool { return !active })
		found, ok := internet.PositionOf(slices.Collect(maps.Keys(got)))
		if ok != (test.position != Unknown) || found != test.position {
			t.Errorf("the targets of %q were found to be those of %q (%t)", test.position, found, ok)
		}
	}
}

// Without an active target, the uplink may be none, or another than those with targets.
func TestPositionsWithTheSameTargetsAreNotToldApart(t *testing.T) {
	uplink, _ := Table().Named("uplink")
	if position, found := uplink.PositionOf(nil); found {
		t.Errorf("the position without targets is %q", position)
	}
	if position, _ := uplink.PositionOf([]string{"uplink-wifi.target"}); position != "wifi" {
		t.Errorf("the position of uplink-wifi.target is %q", position)
	}
}

func TestASwitchOwnsItsTargetsAlone(t *testing.T) {
	for target, want := range map[string]string{
		"lid-closed.target":          "lid",
		"connection@home.target":     "connection",
		"connection@.target":         "",
		"internet-portal.target":     "internet",
		"graphical-session.target":   "",
		"connection@a@b\\x20.target": "connection",
	} {
		for _, s := range Table() {
			if got := s.Owns(target); got != (s.Name == want) {
				t.Errorf("%s owns %s: %t", s.Name, target, got)
			}
		}
	}
}
