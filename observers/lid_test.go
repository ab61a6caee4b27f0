package observers

import (
	"maps"
	"testing"
)

func TestLid(t *testing.T) {
	type values map[string]any
	silent := func(v values) Facts {
		return Facts{Source: logind, Owner: ":1.1", values: v, silent: []string{"LidClosed"}}
	}
	polled := silent(values{"LidClosed": true})
	polled.polled = []string{"LidClosed"}
	lidOf := func(closed, present bool) Facts {
		return Facts{Source: upower, values: values{"LidIsClosed": closed, "LidIsPresent": present}}
	}
	for _, test := range []struct {
		name          string
		logind, power Facts
		position      string
		source        string
		needs         map[string]Need
	}{
		{"signalled", Facts{values: values{"LidClosed": true}}, Facts{}, "closed", "from logind", nil},
		{"signalled, open", Facts{values: values{"LidClosed": false}}, Facts{}, "open", "from logind", nil},
		{"not signalled, UPower not asked", silent(values{"LidClosed": true}), Facts{Source: upower, Problem: "UPower is not asked", Awaited: true}, Unknown, "", map[string]Need{upower: Watched}},
		{"not signalled, UPower knows", silent(values{"LidClosed": true}), lidOf(false, true), "open", "from UPower", map[string]Need{upower: Watched}},
		{"not signalled, UPower cannot be had", silent(values{"LidClosed": true}), Facts{Source: upower, Problem: "UPower cannot be started"}, Unknown, "", map[string]Need{upower: Watched, logind: PolledOften}},
		{"polled", polled, Facts{Source: upower, Problem: "UPower cannot be started"}, "closed", "by polling logind every 2s", map[string]Need{upower: Watched, logind: PolledOften}},
		{"polled, UPower sees no lid", polled, lidOf(false, false), "closed", "by polling logind every 2s", map[string]Need{upower: Watched, logind: PolledOften}},
		{"before sleep logind knows best", silent(values{"LidClosed": true, "PreparingForSleep": true}), lidOf(false, true), "closed", "from UPower", map[string]Need{upower: Watched}},
		{"away", Facts{Source: logind, Problem: "logind is not running"}, Facts{}, Unknown, "", nil},
		{"says nothing", Facts{Source: logind}, Facts{}, Unknown, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := lid(policy(), Snapshot{logind: test.logind, upower: test.power})
			if got.Position != test.position || got.Origin.Source != test.source || !maps.Equal(got.Needs, test.needs) {
				t.Errorf("got %+v", got)
			}
		})
	}
}
