package observers

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

func policy() Policy {
	return Policy{OnlineWhen: Full, LimitedGrace: 5 * time.Second, GoneGrace: 10 * time.Second}
}

// Words that mean something else where a position is expected cannot name one.
func TestNoPositionHasTheNameOfSomethingElse(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Table() {
		for _, p := range s.Positions {
			if slices.Contains([]string{Unknown, UnknownWord, "off", "auto", AnyPosition}, p.Name) || strings.ContainsFunc(p.Name, unicode.IsSpace) {
				t.Errorf("a position of %s is called %q", s.Name, p.Name)
			}
		}
		if s.HasTemplate() && slices.Contains(s.PositionNames(), None) || names[s.Name] {
			t.Errorf("%s is not the only %s", s.Name, s.Name)
		}
		names[s.Name] = true
	}
}

func TestChosenSwitchesHaveOnlyTheirOwnTargetsPatternsAndSources(t *testing.T) {
	all := Table()
	if got := all.Choose(nil); !slices.Equal(got.Names(), all.Names()) {
		t.Errorf("without a choice: %v", got.Names())
	}
	some := all.Choose([]string{"connection", "sleep", "internet", "vpn"})
	for what, test := range map[string][2][]string{
		"names":    {some.Names(), {"internet", "sleep", "vpn", "connection"}},
		"targets":  {some.Targets(), {"internet-online.target", "internet-offline.target", "internet-portal.target", "sleep.target", "wake.target", "vpn-up.target", "vpn-down.target"}},
		"patterns": {some.Patterns(), {"connection@*.target"}},
	} {
		if !slices.Equal(test[0], test[1]) {
			t.Errorf("%s: got %v, want %v", what, test[0], test[1])
		}
	}
	yielding := []map[string][]string{{"unlock.target": nil, "lock.target": {"sleep.target"}}}
	if got := all.Yielding(); !reflect.DeepEqual(got, yielding) {
		t.Errorf("yielding: got %v", got)
	}
	var sources []string
	for _, source := range some.Sources() {
		sources = append(sources, source.ID)
	}
	if !slices.Equal(sources, []string{networkManager, routes, logind, connections}) {
		t.Errorf("sources: got %v", sources)
	}
	if _, exists := some.Named("lid"); exists {
		t.Error("the lid was not chosen")
	}
}

func TestWhichTargetsDelayAnOperation(t *testing.T) {
	for operation, want := range map[string][]string{
		"sleep":    {"lid-open.target", "lid-closed.target", "sleep.target", "wake.target", "unlock.target", "lock.target"},
		"shutdown": {"lid-open.target", "lid-closed.target", "before-shutdown.target"},
	} {
		if got := Table().Before(operation); !slices.Equal(got, want) {
			t.Errorf("%s: %q", operation, got)
		}
	}
}
