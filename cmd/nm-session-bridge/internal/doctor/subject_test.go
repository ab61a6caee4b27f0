package doctor

import (
	"strings"
	"testing"
)

func TestAUnitWaits(t *testing.T) {
	for name, test := range map[string]struct {
		target, unitState, targetState, want string
	}{
		"for a position":            {"internet-online.target", "inactive", "inactive", "chat.service, which waits for internet to be online (now offline)"},
		"for an unknown switch":     {"lid-closed.target", "inactive", "inactive", "chat.service, which waits for lid to be closed"},
		"for a profile":             {`connection@Home\x20Wifi.target`, "inactive", "inactive", `chat.service, which waits for the connection "Home Wifi"`},
		"for nothing, as it runs":   {"internet-online.target", "active", "inactive", "chat.service"},
		"for nothing, as it may":    {"internet-online.target", "inactive", "active", "chat.service"},
		"for nothing that is known": {"", "inactive", "inactive", "chat.service"},
	} {
		sys := healthy(t)
		sys.subject = subject{name: "chat.service", units: []string{"chat.service"}}
		sys.user.bridge = bag("Internet", "offline")
		sys.own(t, "chat.service", "[Service]\nExecStart=/bin/chat\n", "ActiveState", test.unitState)
		if test.target != "" {
			sys.put(test.target, "LoadState", "loaded", "Wants", []string{"chat.service"}, "ActiveState", test.targetState)
			if sys.isInstance(test.target) {
				sys.targets = append(sys.targets, test.target)
			}
		}
		if checked := sys.summary(); checked[len(checked)-1] != test.want {
			t.Errorf("%s: it says %s, not %s", name, strings.Join(checked, "; "), test.want)
		}
	}
}
