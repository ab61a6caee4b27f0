package client

import (
	"context"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
)

func TestEndingTheContextIsNoLoss(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	signals := make(chan *dbus.Signal)
	close(signals) // as a connection that ends with the context does
	for range 100 {
		if err := (Client{}).until(ctx, signals, State{}, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStateIsTakenFromAnAnswer(t *testing.T) {
	state := State{Positions: map[string]string{}}
	answer := []any{map[string]dbus.Variant{
		"Internet": dbus.MakeVariant("online"),
		"Facts":    dbus.MakeVariant(map[string]string{"internet.reason": "Connectivity=Full"}),
	}}
	var all bus.Properties
	if err := dbus.Store(answer, &all); err != nil {
		t.Fatal(err)
	}
	if err := state.take(all); err != nil || state.Positions["Internet"] != "online" || state.Facts["internet.reason"] == "" {
		t.Errorf("took %+v, %v", state, err)
	}
	if err := state.take(bus.Properties{"Lid": dbus.MakeVariant(uint32(1))}); err == nil {
		t.Error("a position of another type was taken")
	}
}

// The bridge may have read the state in its answer before a change, but sent it afterwards.
func TestAChangeBeforeTheAnswerIsAskedForAgain(t *testing.T) {
	body := []any{Interface, map[string]dbus.Variant{"Internet": dbus.MakeVariant("online")}, []string{}}
	signals := make(chan *dbus.Signal, 1)
	signals <- &dbus.Signal{Name: propertiesInterface + ".PropertiesChanged", Body: body, Sequence: 1}
	close(signals)
	state := State{Positions: map[string]string{"Internet": ""}}
	err := (Client{}).until(context.Background(), signals, state, 2, func(State, error) { t.Error("it took an old change for news") })
	if err != nil {
		t.Errorf("it does not ask again, but waits for another change: %v", err)
	}
}
