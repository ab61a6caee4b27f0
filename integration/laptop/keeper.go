package laptop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// nap is how long a laptop sleeps.
const nap = time.Second

// A scene says what it wants through the scratch register of the first serial port, which
// nothing else uses and which is 0 after each sleep and each start (scenes/ports_test.go).
const (
	wishes = "0x3ff"
	// wakesItself is the wish to be woken by the laptop's own clock.
	wakesItself = 1
	// comesBack is the wish to be switched on again after the next shutdown.
	comesBack = 2
)

// keep wakes a laptop from each sleep and switches it on after each hibernation, as
// its user does, until the machine ends. The disks stay as they are.
func keep(conn net.Conn) error {
	err := keepGoing(conn)
	for _, end := range []error{
		io.EOF,
		syscall.ECONNRESET, // before QEMU read the end of a command
		syscall.EPIPE,      // before a command was sent
		net.ErrClosed,
	} {
		if errors.Is(err, end) {
			return nil
		}
	}
	return err
}

func keepGoing(conn net.Conn) error {
	qemu, err := openMonitor(conn)
	if err != nil {
		return err
	}
	hibernates := false
	for {
		event, err := qemu.event()
		if err != nil {
			return err
		}
		switch {
		case event.Name == "SUSPEND":
			err = wake(qemu)
		case event.Name == "SUSPEND_DISK":
			hibernates = true
		case event.Name == "SHUTDOWN":
			err = switchOn(qemu, hibernates)
			hibernates = false
		case event.Name == "RESET" && event.Data.Guest:
			err = qemu.do("set-action", map[string]string{"reboot": "shutdown"})
		case event.Name == "RESET":
			err = qemu.do("cont", nil)
		}
		if err != nil {
			return err
		}
	}
}

// wake wakes a laptop from its sleep after a nap, unless the laptop wakes itself. Its
// clock would have to be set before anybody knows how long it takes to fall asleep.
func wake(qemu *monitor) error {
	wish, err := wishOf(qemu)
	if err != nil || wish&wakesItself != 0 {
		return err
	}
	time.Sleep(nap)
	return qemu.do("system_wakeup", nil)
}

// switchOn switches on a laptop that has hibernated or that must come back. It ends any
// other laptop, such as one that has panicked. The firmware of a hibernated laptop finds
// memory that was in use, and resets the machine once. Otherwise a laptop resets only when
// its kernel panics or it reboots.
func switchOn(qemu *monitor, hasHibernated bool) error {
	wish, err := wishOf(qemu)
	if err != nil {
		return err
	}
	if !hasHibernated && wish&comesBack == 0 {
		return qemu.do("quit", nil)
	}
	if err := qemu.do("set-action", map[string]string{"reboot": "reset"}); err != nil {
		return err
	}
	return qemu.do("system_reset", nil)
}

// wishOf returns what a scene wants.
func wishOf(qemu *monitor) (wish byte, err error) {
	answer, err := qemu.ask("human-monitor-command", map[string]string{"command-line": "i /b " + wishes})
	if err != nil {
		return 0, err
	}
	var text string
	if err = json.Unmarshal(answer, &text); err == nil {
		_, err = fmt.Sscanf(text, "portb[0x03ff] = 0x%x", &wish)
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read the laptop's scratch register: %w: %s", err, answer)
	}
	return wish, nil
}
