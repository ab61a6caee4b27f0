package monitor

import (
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
)

func TestMonitorSaysOfEachSwitchWhetherItIsHeld(t *testing.T) {
	var out strings.Builder
	write := printJSON(&out)
	f := follower{positions: map[string]string{}, report: func(c change) {
		if err := write(c); err != nil {
			t.Error(err)
		}
	}}
	f.news(client.State{Positions: map[string]string{"Lid": "open", "Power": "ac"}, Overrides: map[string]string{"power": "ac"}}, nil)
	for i, want := range []string{`"running":true`, `"switch":"lid","to":"open","held":false`, `"switch":"power","to":"ac","held":true`} {
		if lines := strings.Split(out.String(), "\n"); !strings.HasSuffix(lines[i], want+"}") {
			t.Errorf("line %d is %s", i, lines[i])
		}
	}
}
