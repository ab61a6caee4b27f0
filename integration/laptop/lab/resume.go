package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// swapVariable names the disk to hibernate to, a whole swap area, on a laptop that has
	// one.
	swapVariable = "LAPTOP_SWAP"
	// hibernationMark ends the first page of a swap area, where mkswap(8) puts another
	// mark, while the area holds a hibernated system (kernel/power/swap.c).
	hibernationMark = "S1SUSPEND\x00"
	pageSize        = 4096
	// hibernationTime is how long the laptop has hibernated, by its clock.
	hibernationTime = 24 * time.Hour
)

// resume makes a disk the one to hibernate to, and resumes the system that has hibernated
// there. It returns if there is none.
func resume(swap, sysfs string) error {
	if err := os.MkdirAll(sysfs, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("sys", sysfs, "sysfs", 0, ""); err != nil {
		return fmt.Errorf("cannot mount %s: %w", sysfs, err)
	}
	first, err := firstPage("/dev/" + swap)
	if err != nil {
		return err
	}
	if bytes.HasSuffix(first, []byte(hibernationMark)) {
		if err := forward("/dev/rtc0", hibernationTime); err != nil {
			return err
		}
	}
	number, err := os.ReadFile(filepath.Join(sysfs, "block", swap, "dev"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(sysfs, "power/resume"), number, 0); err != nil {
		return fmt.Errorf("cannot resume: %w", err)
	}
	return unix.Unmount(sysfs, 0)
}

// firstPage reads the first page of a disk, which appears some time after its driver
// was loaded.
func firstPage(disk string) ([]byte, error) {
	page := make([]byte, pageSize)
	for end := time.Now().Add(diskTimeout); ; time.Sleep(10 * time.Millisecond) {
		file, err := os.Open(disk)
		if err == nil {
			_, err = file.ReadAt(page, 0)
			file.Close()
		}
		if err == nil || time.Now().After(end) {
			return page, err
		}
	}
}

// forward puts a hardware clock forward.
func forward(clock string, by time.Duration) error {
	file, err := os.Open(clock)
	if err != nil {
		return err
	}
	defer file.Close()
	now, err := unix.IoctlGetRTCTime(int(file.Fd()))
	if err != nil {
		return fmt.Errorf("cannot read the time of %s: %w", clock, err)
	}
	// It counts months from 0, and years from 1900.
	then := time.Date(int(now.Year)+1900, time.Month(now.Mon+1), int(now.Mday), int(now.Hour), int(now.Min), int(now.Sec), 0, time.UTC).Add(by)
	err = unix.IoctlSetRTCTime(int(file.Fd()), &unix.RTCTime{
		Year: int32(then.Year() - 1900), Mon: int32(then.Month() - 1), Mday: int32(then.Day()),
		Hour: int32(then.Hour()), Min: int32(then.Minute()), Sec: int32(then.Second()),
	})
	if err != nil {
		return fmt.Errorf("cannot set %s: %w", clock, err)
	}
	return nil
}
