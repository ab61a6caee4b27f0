// Package inhibitor takes delay locks from logind.
package inhibitor

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/godbus/dbus/v5"
)

const (
	who = "nm-session-bridge"
	why = "Units for the lid and for sleep have to finish first"
)

// Take takes a delay lock on an operation such as "sleep" from the logind on the
// bus at a D-Bus address (Inhibit(s what, s who, s why, s mode),
// org.freedesktop.login1(5)). Closing the lock lets the operation go on.
//
// The lock is a file descriptor. The connection that may receive one lives only
// for this call: godbus keeps every descriptor that anybody sends to it.
func Take(ctx context.Context, address, what string) (io.Closer, error) {
	conn, err := dbus.Dial(address, dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("taking a delay lock on %s: %w", what, err)
	}
	defer conn.Close()
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))}); err != nil {
		return nil, fmt.Errorf("taking a delay lock on %s: %w", what, err)
	}
	if err := conn.Hello(); err != nil {
		return nil, fmt.Errorf("taking a delay lock on %s: %w", what, err)
	}
	logind := conn.Object("org.freedesktop.login1", "/org/freedesktop/login1")
	call := logind.CallWithContext(ctx, "org.freedesktop.login1.Manager.Inhibit", dbus.FlagNoAutoStart, what, who, why, "delay")
	fd, err := descriptor(call)
	if err != nil {
		return nil, fmt.Errorf("taking a delay lock on %s: %w", what, err)
	}
	return os.NewFile(uintptr(fd), "delay lock on "+what), nil
}

// descriptor returns the file descriptor that is the answer of a call. dbus.Store
// would take a number for one, which may be a file of ours.
func descriptor(call *dbus.Call) (dbus.UnixFD, error) {
	if call.Err != nil {
		return 0, call.Err
	}
	if len(call.Body) == 1 {
		if fd, ok := call.Body[0].(dbus.UnixFD); ok {
			return fd, nil
		}
	}
	return 0, fmt.Errorf("logind answered %v in place of a file descriptor", call.Body)
}
