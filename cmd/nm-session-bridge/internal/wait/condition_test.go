package wait

import (
	"strings"
	"testing"
)

func TestWhereConditionsHold(t *testing.T) {
	for _, row := range []struct {
		args      string
		not       bool
		in, notIn []string
		// stops and stays are targets that have to stop, or need not, in the first
		// position that the condition holds in.
		stops, stays []string
	}{
		{
			args: "internet online", in: []string{"online"}, notIn: []string{"offline", "portal", "unknown", ""},
			stops: []string{"internet-offline.target", "internet-portal.target"},
			stays: []string{"internet-online.target", "lid-open.target", "connection@a.target"},
		},
		{
			args: "internet=offline", in: []string{"offline"}, notIn: []string{"portal"},
			stops: []string{"internet-portal.target", "internet-online.target"}, stays: []string{"internet-offline.target"},
		},
		{
			args: "internet portal", not: true, in: []string{"offline", "online"}, notIn: []string{"portal", "unknown"},
			stops: []string{"internet-portal.target"}, stays: []string{"internet-offline.target"},
		},
		{args: "sleep awake", in: []string{"awake"}, notIn: []string{"asleep"}, stops: []string{"sleep.target"}},
		{
			args: "connection home", in: []string{"home", "home work"}, notIn: []string{"none", "work", "unknown", "homework"},
			stays: []string{"connection@home.target", "connection@work.target"},
		},
		{
			args: "connection=home", not: true, in: []string{"work", "none"}, notIn: []string{"home work"},
			stops: []string{"connection@home.target"}, stays: []string{"connection@work.target", "connection@other.target"},
		},
		{
			args: "connection none", in: []string{"none"}, notIn: []string{"home"},
			stops: []string{"connection@home.target"}, stays: []string{"internet-offline.target"},
		},
		{args: `connection a\x3db`, in: []string{`a\x3db c`}, notIn: []string{"c"}},
		{args: `connection=\x6eone`, in: []string{`\x6eone`}, notIn: []string{"none"}},
	} {
		conditions, err := Conditions(strings.Fields(row.args), row.not)
		if err != nil || len(conditions) != 1 {
			t.Errorf("%s: %v, %v", row.args, conditions, err)
			continue
		}
		c := conditions[0]
		for _, position := range row.in {
			if !c.holds(position) {
				t.Errorf("%s (not: %t) does not hold in %q", row.args, row.not, position)
			}
		}
		for _, position := range row.notIn {
			if c.holds(position) {
				t.Errorf("%s (not: %t) holds in %q", row.args, row.not, position)
			}
		}
		for _, target := range row.stops {
			if !c.concerns(row.in[0], target) {
				t.Errorf("%s (not: %t) does not wait for the stop of %s", row.args, row.not, target)
			}
		}
		for _, target := range row.stays {
			if c.concerns(row.in[0], target) {
				t.Errorf("%s (not: %t) waits for the stop of %s", row.args, row.not, target)
			}
		}
	}
}

// A wait for what cannot be would never end.
func TestConditionsThatExcludeEachOtherAreRefused(t *testing.T) {
	for _, row := range []struct {
		args     string
		not      bool
		possible bool
	}{
		{"lid=open lid=open", false, true},
		{"lid=open internet=online", false, true},
		{"lid=open lid=closed", false, false},
		{"internet=online lid=open internet=offline", false, false},
		{"lid=open lid=closed", true, false}, // there is no third position
		{"internet=online internet=portal", true, true},
		{"uplink=none uplink=other", false, false},
		{"connection=home connection=work", false, true},
		{"connection=home connection=none", false, false},
		{"connection=home connection=none", true, true},
	} {
		_, err := Conditions(strings.Fields(row.args), row.not)
		if (err == nil) != row.possible {
			t.Errorf("%s (not: %t): %v", row.args, row.not, err)
		}
	}
}
