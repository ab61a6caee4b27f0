package laptop

import (
	"encoding/json"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

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

// monitor speaks QEMU's machine protocol:
// https://www.qemu.org/docs/master/interop/qmp-spec.html
type monitor struct {
	commands *json.Encoder
	messages *json.Decoder
	events   []monitorEvent // that came before an answer
}

// monitorEvent is what has happened to the machine, and whether the laptop did it.
type monitorEvent struct {
	Name string `json:"event"`
	Data struct{ Guest bool }
}

// monitorMessage is an event, or the answer to a command.
type monitorMessage struct {
	monitorEvent
	Return json.RawMessage
	Error  *struct{ Desc string }
}

// openMonitor greets QEMU, as the protocol requires.
func openMonitor(conn net.Conn) (*monitor, error) {
	m := &monitor{commands: json.NewEncoder(conn), messages: json.NewDecoder(conn)}
	return m, m.do("qmp_capabilities", nil)
}

// event waits for the next event.
func (m *monitor) event() (monitorEvent, error) {
	for len(m.events) == 0 {
		if _, err := m.read(); err != nil {
			return monitorEvent{}, err
		}
	}
	event := m.events[0]
	m.events = m.events[1:]
	return event, nil
}

// do executes a command, with arguments or without.
func (m *monitor) do(command string, arguments map[string]string) error {
	_, err := m.ask(command, arguments)
	return err
}

// ask executes a command and returns the answer.
func (m *monitor) ask(command string, arguments map[string]string) (json.RawMessage, error) {
	err := m.commands.Encode(struct {
		Execute   string            `json:"execute"`
		Arguments map[string]string `json:"arguments,omitempty"`
	}{command, arguments})
	if err != nil {
		return nil, fmt.Errorf("cannot tell QEMU to %s: %w", command, err)
	}
	for {
		message, err := m.read()
		switch {
		case err != nil:
			return nil, err
		case message.Error != nil:
			return nil, fmt.Errorf("QEMU refused to %s: %s", command, message.Error.Desc)
		case message.Return != nil:
			return message.Return, nil
		}
	}
}

// read reads a message, and keeps it if it is an event.
func (m *monitor) read() (monitorMessage, error) {
	var message monitorMessage
	if err := m.messages.Decode(&message); err != nil {
		return monitorMessage{}, fmt.Errorf("cannot listen to QEMU: %w", err)
	}
	if message.Name != "" {
		m.events = append(m.events, message.monitorEvent)
	}
	return message, nil
}
