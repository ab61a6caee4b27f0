package bus

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// ConnectSession connects a command to the session bus. The error says what to do
// next.
func ConnectSession(ctx context.Context) (*dbus.Conn, error) {
	address, err := SessionAddress()
	if err != nil {
		return nil, err
	}
	// godbus' default loses the order of signals while their receiver is busy.
	conn, err := dbus.Connect(address, dbus.WithContext(ctx), dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		return nil, fmt.Errorf("cannot reach the session bus at %s: %w; %s", address, err, Place())
	}
	return conn, nil
}
