package laptop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// nap is how long a laptop sleeps.
const nap = time.Second

// monitorPipe returns both ends of a connection to QEMU's monitor: ours, and
// the one that QEMU inherits.
func monitorPipe() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot connect the monitor: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "monitor"), os.NewFile(uintptr(fds[1]), "monitor")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("cannot connect the monitor: %w", err)
	}
	return conn, theirs, nil
}

// wake wakes the laptop from each sleep after a nap, as a person does who opens
// it, until the machine ends. It speaks QEMU's machine protocol:
// https://www.qemu.org/docs/master/interop/qmp-spec.html
//
// The laptop's own timer would have to be set before anybody knows how long it
// takes to fall asleep.
func wake(monitor net.Conn) error {
	commands := json.NewEncoder(monitor)
	messages := json.NewDecoder(monitor)
	execute := func(command string) error {
		return commands.Encode(map[string]string{"execute": command})
	}
	if err := execute("qmp_capabilities"); err != nil {
		return fmt.Errorf("cannot greet QEMU: %w", err)
	}
	for {
		var message struct {
			Event string
			Error *struct{ Desc string }
		}
		err := messages.Decode(&message)
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot listen to QEMU: %w", err)
		}
		if message.Error != nil {
			return fmt.Errorf("QEMU refused: %s", message.Error.Desc)
		}
		if message.Event == "SUSPEND" {
			time.Sleep(nap)
			if err := execute("system_wakeup"); err != nil {
				return fmt.Errorf("cannot wake the laptop: %w", err)
			}
		}
	}
}
