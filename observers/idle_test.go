package observers

import "testing"

// idler is a session of a type and at a seat, with a hint.
func idler(kind, seat string, isIdle bool) Facts {
	return Facts{values: map[string]any{"Id": kind, "Type": kind, "Class": "user", "State": "active", "Seat": seat, "IdleHint": isIdle}}
}

func TestIdle(t *testing.T) {
	type sessions []Facts
	for name, test := range map[string]struct {
		sessions sessions
		want     string
		reason   string
	}{
		"one is busy":             {sessions{idler("wayland", "seat0", false)}, "busy", "IdleHint=false"},
		"one is idle":             {sessions{idler("wayland", "seat0", true)}, "idle", "IdleHint=true"},
		"one of two is busy":      {sessions{idler("wayland", "seat0", true), idler("x11", "", false)}, "busy", "session wayland: IdleHint=true, session x11: IdleHint=false"},
		"both are idle":           {sessions{idler("wayland", "seat0", true), idler("x11", "", true)}, "idle", "session wayland: IdleHint=true, session x11: IdleHint=true"},
		"SSH does not count":      {sessions{idler("wayland", "seat0", true), idler("tty", "", false)}, "idle", "IdleHint=true"},
		"a text session is busy":  {sessions{idler("tty", "seat0", true)}, "busy", "Type=tty"},
		"nobody is logged in":     {nil, Unknown, "the user has no graphical session"},
		"an IdleHint is not told": {sessions{{values: map[string]any{"Type": "x11", "Class": "user"}}}, Unknown, "logind does not report IdleHint"},
	} {
		got := idle(policy(), Snapshot{idleness: {Source: idleness, children: test.sessions}})
		if got.Position != test.want || got.Reason != test.reason {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := idle(policy(), Snapshot{idleness: {Source: idleness, Problem: "logind is not running"}}); got.Position != Unknown || got.Grace != policy().GoneGrace {
		t.Errorf("without logind: %+v", got)
	}
}

// What a desktop says about being idle wakes nobody who follows the lock, and the
// other way round.
func TestEachHintIsReadForItsSwitch(t *testing.T) {
	for _, test := range []struct {
		source Source
		hint   string
		wants  bool
	}{
		{Session(), "LockedHint", true},
		{Session(), "IdleHint", false},
		{Idleness(), "IdleHint", true},
		{Idleness(), "LockedHint", false},
	} {
		if _, reads := test.source.Root.Links[0].Kind.Properties[test.hint]; reads != test.wants {
			t.Errorf("%s: %s is read: %t", test.source.ID, test.hint, reads)
		}
	}
}
