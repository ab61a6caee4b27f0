package bridge

import (
	"context"
	"reflect"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

func TestChangesAddUpInOrder(t *testing.T) {
	opened, shut := Transition{Switch: "door", To: "open"}, Transition{Switch: "door", To: "shut"}
	parts := []Change{
		{View: true, Entered: []Transition{opened}},
		{Moved: systemdctl.Moved{Yielding: true, Strays: []string{"a.target"}}},
		{},
		{Stale: true, Entered: []Transition{shut}, Moved: systemdctl.Moved{Strays: []string{"b.target"}}},
		{Urgent: true},
	}
	var sum Change
	for _, part := range parts {
		sum.add(part)
	}
	want := Change{
		Moved: systemdctl.Moved{Yielding: true, Strays: []string{"a.target", "b.target"}},
		Stale: true, View: true, Entered: []Transition{opened, shut}, Urgent: true,
	}
	if !reflect.DeepEqual(sum, want) {
		t.Errorf("got %+v, want %+v", sum, want)
	}
}

func TestNothingIsPostedAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if make(Inbox).Post(ctx, func() Change { return Change{} }) {
		t.Error("it was taken")
	}
}
