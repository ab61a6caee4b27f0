package client

import (
	"context"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestEndingTheContextIsNoLoss(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	signals := make(chan *dbus.Signal)
	close(signals) // as a connection that ends with the context does
	for range 100 {
		if err := (Client{}).until(ctx, signals, State{}, nil); err != nil {
			t.Fatal(err)
		}
	}
}
