package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	output = "/dev/ttyS1"
	// exitPort is the I/O port of QEMU's isa-debug-exit, which ends the machine.
	exitPort = 0xf4
	// exitMark distinguishes our exit from QEMU's own; a status is smaller.
	exitMark = 64
	// failed is the status of a program that a signal ended.
	failed = 1
)

// end ends the machine once all output has left it. The status is systemd's
// $EXIT_STATUS: a number or the name of a signal. A power-off would not work,
// because this machine ignores it after it has slept. A machine that shuts down ends
// without us.
func end(status string) error {
	// Its exit status says less than its output.
	if state, _ := exec.Command("systemctl", "is-system-running").Output(); strings.TrimSpace(string(state)) == "stopping" {
		return nil
	}
	number, err := strconv.ParseUint(status, 10, 8)
	if err != nil || number >= exitMark {
		number = failed
	}
	tty, err := os.OpenFile(output, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	// With an argument other than 0 it is tcdrain(3).
	if err := unix.IoctlSetInt(int(tty.Fd()), unix.TCSBRK, 1); err != nil {
		return fmt.Errorf("wait for the output: %w", err)
	}
	ports, err := os.OpenFile("/dev/port", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer ports.Close()
	_, err = ports.WriteAt([]byte{exitMark | byte(number)}, exitPort)
	return err
}
