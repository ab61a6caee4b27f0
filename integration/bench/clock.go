package main

import (
	"golang.org/x/sys/unix"
)

// now returns the time, in nanoseconds, of the clock that all programs on the
// machine share.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // clock_gettime(2): not for this clock
	}
	return t.Nano()
}
