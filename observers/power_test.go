package observers

import (
	"maps"
	"testing"
)

func TestPower(t *testing.T) {
	type values = map[string]any
	gone := Facts{Source: upower, Problem: "UPower cannot be started"}
	silent := []string{"OnExternalPower"}
	polled := Facts{Source: logind, values: values{"OnExternalPower": false}, silent: silent, polled: silent, served: Polled}
	signalled := Facts{Source: logind, values: values{"OnExternalPower": true}, served: Polled}
	older := Facts{Source: logind, values: values{"LidClosed": false}, silent: silent, served: Polled}
	watched, polling := map[string]Need{upower: Watched}, map[string]Need{upower: Watched, logind: Polled}
	for _, test := range []struct {
		name             string
		upower, logind   Facts
		position, source string
		needs            map[string]Need
	}{
		{"UPower knows", Facts{Source: upower, values: values{"OnBattery": true}}, Facts{}, "battery", "from UPower", watched},
		{"UPower knows, whatever logind says", Facts{Source: upower, values: values{"OnBattery": false}}, polled, "ac", "from UPower", watched},
		{"not heard yet", Facts{}, polled, Unknown, "", watched},
		{"being started", Facts{Source: upower, Problem: "UPower is being started", Awaited: true}, polled, Unknown, "", watched},
		{"no UPower", gone, polled, "battery", "by polling logind every 10s", polling},
		{"no UPower, logind not polled yet", gone, Facts{Source: logind, values: values{"OnExternalPower": false}, silent: silent, served: Watched}, Unknown, "", polling},
		{"no UPower, logind not heard yet", gone, Facts{}, Unknown, "", polling},
		{"no UPower, a logind that signals it", gone, signalled, "ac", "from logind", polling},
		{"no UPower, a logind that does not know of it", gone, older, Unknown, "", polling},
		{"neither", gone, Facts{Problem: "logind is not running"}, Unknown, "", polling},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := power(policy(), Snapshot{upower: test.upower, logind: test.logind})
			if got.Position != test.position || got.Origin.Source != test.source || !maps.Equal(got.Needs, test.needs) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestALogindThatDoesNotReportPowerIsNotWaitedFor(t *testing.T) {
	snapshot := Snapshot{
		upower: {Source: upower, Problem: "UPower cannot be started"},
		logind: {Source: logind, values: map[string]any{"LidClosed": false}, silent: []string{"OnExternalPower"}, served: Polled},
	}
	if got := power(policy(), snapshot).Reason; got != "UPower cannot be started; logind does not report OnExternalPower" {
		t.Errorf("the reason is %q", got)
	}
}
