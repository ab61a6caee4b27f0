package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// From linux/uinput.h and linux/input-event-codes.h, for amd64.
const (
	uiDevCreate = 0x5501
	uiSetEvBit  = 0x40045564
	uiSetSwBit  = 0x4004556d

	userDevSize   = 1116 // of struct uinput_user_dev, which begins with the name
	evSyn         = 0
	evSw          = 5
	swLid         = 0
	eventTimeSize = 16
)

// lid runs an input device of the kernel with one switch, like that of a
// laptop's lid. It begins in a position, "closed" or "open", and follows the
// lines that are written to the FIFO.
func lid(fifo, position string) error {
	device, err := createLid()
	if err != nil {
		return err
	}
	defer device.Close()
	if err := moveLid(device, position); err != nil {
		return err
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		return fmt.Errorf("cannot make %s: %w", fifo, err)
	}
	// It is open for reading and writing, so it never ends.
	commands, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer commands.Close()
	lines := bufio.NewScanner(commands)
	for lines.Scan() {
		if err := moveLid(device, lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}

func createLid() (*os.File, error) {
	device, err := os.OpenFile("/dev/uinput", os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	fd := int(device.Fd())
	err = unix.IoctlSetInt(fd, uiSetEvBit, evSw)
	if err == nil {
		err = unix.IoctlSetInt(fd, uiSetSwBit, swLid)
	}
	if err == nil {
		description := make([]byte, userDevSize)
		copy(description, "Lid Switch")
		_, err = device.Write(description)
	}
	if err == nil {
		err = unix.IoctlSetInt(fd, uiDevCreate, 0)
	}
	if err != nil {
		device.Close()
		return nil, fmt.Errorf("cannot create a lid: %w", err)
	}
	return device, nil
}

// moveLid moves the lid to a position, as its switch would report it.
func moveLid(device *os.File, position string) error {
	value := map[string]uint32{"open": 0, "closed": 1}
	closed, known := value[position]
	if !known {
		return fmt.Errorf("a lid is open or closed, not %q", position)
	}
	for _, event := range []struct {
		kind, code uint16
		value      uint32
	}{{evSw, swLid, closed}, {evSyn, 0, 0}} {
		// struct input_event: the kernel fills the time in.
		message := make([]byte, eventTimeSize, eventTimeSize+8)
		message = binary.LittleEndian.AppendUint16(message, event.kind)
		message = binary.LittleEndian.AppendUint16(message, event.code)
		message = binary.LittleEndian.AppendUint32(message, event.value)
		if _, err := device.Write(message); err != nil {
			return fmt.Errorf("cannot move the lid: %w", err)
		}
	}
	return nil
}
