package status

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/golden"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/terminal"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// noon is the tests' present time, in any time zone.
func noon() time.Time { return time.Date(2026, time.November, 24, 12, 0, 0, 0, time.Local) }

// targets returns all fixed targets and a profile's. The given ones are active.
func targets(load string, active ...string) []systemdctl.TargetState {
	var all []systemdctl.TargetState
	for _, name := range append(observers.Table().Targets(), "connection@home.target") {
		t := systemdctl.TargetState{Name: name, Load: load, Active: "inactive"}
		for _, a := range active {
			if a+".target" == name {
				t.Active, t.Since = "active", noon().Add(-90*time.Second)
			}
		}
		all = append(all, t)
	}
	return all
}

// busy returns a bridge's state with something of everything, and the targets
// that belong to it.
func busy() (client.State, []systemdctl.TargetState) {
	state := client.State{
		Positions: map[string]string{
			"Internet": "online", "Lid": "closed", "Sleep": "awake", "Lock": "unlocked", "Power": "unknown",
			"Metered": "off", "Vpn": "down", "Connection": "home " + strings.Repeat("other ", 30),
		},
		Facts: map[string]string{
			"internet.since":            noon().Add(-26 * time.Hour).Format(time.RFC3339),
			"internet.reason":           "Connectivity=Full State=ConnectedGlobal",
			"internet.doubt":            "Connectivity=Limited",
			"lid.reason":                "held by hand",
			"lid.source":                "from logind",
			"lid.since":                 noon().Add(-time.Minute).Format(time.RFC3339),
			"sleep.lock":                "held",
			"power.since":               "nonsense",
			"NetworkManager.State":      "ConnectedGlobal",
			"logind.InhibitDelayMaxSec": "5s",
		},
		Overrides: map[string]string{"lid": "closed"},
	}
	all := targets("loaded", "internet-online", "lid-closed", "unlock", "vpn-down", "connection@home")
	for i := range all {
		switch all[i].Name {
		case "internet-online.target":
			all[i].Bound = []systemdctl.UnitState{
				{Name: "mail.service", Load: "loaded", Active: "active", Sub: "running", Result: "success"},
				{Name: "backup.target", Load: "loaded", Active: "active", Sub: "active", Bound: []systemdctl.UnitState{
					{Name: "backup.service", Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code"},
					{Name: "gone.service", Load: "not-found", Active: "inactive", Sub: "dead"},
				}},
			}
		case "lid-closed.target":
			all[i].Bound = []systemdctl.UnitState{{Name: "dock.service", Load: "loaded", Active: "activating", Sub: "start"}}
		case "network-metered.target":
			all[i].Load = "masked"
		}
	}
	return state, all
}

func printed(r Report) string {
	var out strings.Builder
	r.Print(&out, noon(), "nm-session-bridge", terminal.Style{})
	return out.String()
}

func TestARunningBridge(t *testing.T) {
	state, all := busy()
	golden.Check(t, "running", printed(Make(observers.Table(), &state, nil, all)))
}

func TestInJSON(t *testing.T) {
	state, all := busy()
	for i := range all { // times in UTC are written alike everywhere
		if !all[i].Since.IsZero() {
			all[i].Since = time.Date(2026, time.November, 24, 11, 58, 30, 0, time.UTC)
		}
	}
	for _, name := range []string{"internet", "lid"} {
		state.Facts[name+".since"] = "2026-11-24T11:00:00Z"
	}
	var out strings.Builder
	if err := Make(observers.Table(), &state, nil, all).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "json", out.String())
}

// Without a bridge and without a system bus, there are no facts.
func TestFactsAreAnObjectInJSON(t *testing.T) {
	var out strings.Builder
	if err := Make(observers.Table(), nil, nil, nil).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"facts": {}`) {
		t.Errorf("status --json without facts prints %s", out.String())
	}
}

func TestABridgeThatDoesNotRun(t *testing.T) {
	facts := map[string]string{"NetworkManager.State": "ConnectedGlobal"}
	report := Make(observers.Table(), nil, facts, targets("loaded", "internet-offline", "internet-portal", "lid-open"))
	report.Problems = []string{errors.New("not every service of the system bus answers").Error()}
	golden.Check(t, "not-running", printed(report))
}

func TestABridgeThatIsNotInstalled(t *testing.T) {
	golden.Check(t, "not-installed", printed(Make(observers.Table(), nil, nil, targets("not-found"))))
}

// Without a bridge the active targets determine the position. It is unknown if
// no position of the switch has exactly these targets.
func TestPositionsByTargets(t *testing.T) {
	for active, want := range map[string]string{
		"internet-online":                  "online",
		"internet-offline":                 "offline",
		"internet-offline internet-portal": "portal",
		"internet-portal":                  observers.UnknownWord,
		"":                                 observers.UnknownWord,
	} {
		report := Make(observers.Table(), nil, nil, targets("loaded", strings.Fields(active)...))
		if got := report.Switches[0].Position; got != want || report.Running {
			t.Errorf("%q: internet is %s, want %s", active, got, want)
		}
	}
}

func TestTheTimeIsThatOfTheTargetWhereTheBridgeSaysNone(t *testing.T) {
	state := client.State{Positions: map[string]string{"Lid": "open"}}
	report := Make(observers.Table(), &state, nil, targets("loaded", "lid-open"))
	for _, s := range report.Switches {
		if s.Name == "lid" && (s.Since == nil || !s.Since.Equal(noon().Add(-90*time.Second))) {
			t.Errorf("the lid is open since %v", s.Since)
		}
		if s.Name == "internet" && s.Since != nil {
			t.Errorf("the internet is in no position since %v", s.Since)
		}
	}
}

// A switch that the bridge does not keep leaves its targets as they are.
func TestASwitchThatIsOffHasNoTime(t *testing.T) {
	state := client.State{Positions: map[string]string{"Lid": "off"}}
	for _, s := range Make(observers.Table(), &state, nil, targets("loaded", "lid-open")).Switches {
		if s.Since != nil {
			t.Errorf("%s is %s since %v", s.Name, s.Position, s.Since)
		}
	}
}

func TestLongAgo(t *testing.T) {
	p := printer{now: noon()}
	for ago, want := range map[time.Duration]string{
		-time.Minute:      "12:01:00 (0 s)",
		59 * time.Second:  "11:59:01 (59 s)",
		150 * time.Minute: "09:30:00 (2 h 30 min)",
		26 * time.Hour:    "2026-11-23 10:00 (1 d 2 h)",
	} {
		if got := p.when(noon().Add(-ago)); got != want {
			t.Errorf("%v ago: %s, want %s", ago, got, want)
		}
	}
}
