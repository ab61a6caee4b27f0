package laptop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// nap is how long a laptop sleeps.
const nap = time.Second

// keep wakes a laptop from each sleep and switches it on after each hibernation, as
// its user does, until the machine ends. The disks stay as they are.
func keep(conn net.Conn) error {
	err := keepGoing(conn)
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return nil // the machine has ended
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
		case event.Name == "SHUTDOWN" && hibernates:
			hibernates = false
			err = switchOn(qemu)
		case event.Name == "SHUTDOWN": // after a panic, say
			err = qemu.do("quit", nil)
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

// wake wakes a laptop from its sleep after a nap. The laptop's own clock would have
// to be set before anybody knows how long it takes to fall asleep. A scene that
// nevertheless wants that says so in the scratch register of the first serial port,
// which nothing else uses and which is 0 after each sleep (scenes/hibernate_test.go).
func wake(qemu *monitor) error {
	answer, err := qemu.ask("human-monitor-command", map[string]string{"command-line": "i /b 0x3ff"})
	if err != nil {
		return err
	}
	var text string
	err = json.Unmarshal(answer, &text)
	var wakesItself byte
	if err == nil {
		_, err = fmt.Sscanf(text, "portb[0x03ff] = 0x%x", &wakesItself)
	}
	if err != nil {
		return fmt.Errorf("cannot read the laptop's scratch register: %w: %s", err, answer)
	}
	if wakesItself != 0 {
		return nil
	}
	time.Sleep(nap)
	return qemu.do("system_wakeup", nil)
}

// switchOn switches on a laptop that has switched itself off. Its firmware finds
// memory that was in use, and resets the machine once, which a laptop otherwise does
// only when its kernel panics.
func switchOn(qemu *monitor) error {
	if err := qemu.do("set-action", map[string]string{"reboot": "reset"}); err != nil {
		return err
	}
	return qemu.do("system_reset", nil)
}
