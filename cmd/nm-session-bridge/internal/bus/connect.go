package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// Connect connects a command to the bus at an address, until the context ends. Unlike
// dbus.Connect, it fails when the bus does not complete the handshake in ten seconds.
func Connect(ctx context.Context, address string, options ...dbus.ConnOption) (*dbus.Conn, error) {
	return connect(ctx, handshakeTimeout, address, options...)
}

var errSilent = errors.New("the bus did not complete the handshake")

func connect(ctx context.Context, limit time.Duration, address string, options ...dbus.ConnOption) (*dbus.Conn, error) {
	ctx, giveUp := context.WithCancelCause(ctx) // which closes the connection
	late := time.AfterFunc(limit, func() { giveUp(errSilent) })
	conn, err := dbus.Connect(address, append(options, dbus.WithContext(ctx))...)
	if late.Stop() && err == nil {
		return conn, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	giveUp(err)
	return nil, err
}

// ConnectSession connects a command to the session bus. The error says what to do
// next.
func ConnectSession(ctx context.Context) (*dbus.Conn, error) {
	address, err := SessionAddress()
	if err != nil {
		return nil, err
	}
	// godbus' default loses the order of signals while their receiver is busy.
	conn, err := Connect(ctx, address, dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		return nil, fmt.Errorf("cannot reach the session bus at %s: %w; %s", address, err, Place())
	}
	return conn, nil
}
