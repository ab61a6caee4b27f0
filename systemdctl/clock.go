package systemdctl

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Clock is a clock of the kernel that starts with the boot and that nobody can
// set.
type Clock interface {
	// Now returns how long the clock has run.
	Now() time.Duration
	// AfterFunc calls f in a new goroutine once the clock has run for d more, unless
	// stop is called first.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// Clocks are the clocks by which user managers measure start limits. Up to systemd
// 261 that is the monotonic clock, which stands still while the machine sleeps;
// since 262 it is the boottime clock, which does not (NEWS of systemd 262).
type Clocks struct {
	Monotonic, Boottime Clock
}

// KernelClocks are CLOCK_MONOTONIC and CLOCK_BOOTTIME (clock_gettime(2)).
func KernelClocks() Clocks {
	return Clocks{Monotonic: monotonic{}, Boottime: boottime{}}
}

// ofManager returns the clock of a manager of the given Version, which begins with a
// number, such as 257.8-1 or 262~rc1. For any other Version it is the monotonic
// clock, which is never ahead of the other.
func (c Clocks) ofManager(version string) Clock {
	const sinceBoottime = 262
	number := 0
	for _, digit := range strings.TrimPrefix(version, "v") {
		if digit < '0' || digit > '9' || number >= sinceBoottime {
			break
		}
		number = 10*number + int(digit-'0')
	}
	if number >= sinceBoottime {
		return c.Boottime
	}
	return c.Monotonic
}

type monotonic struct{}

func (monotonic) Now() time.Duration { return read(unix.CLOCK_MONOTONIC) }

// Go's timers run in CLOCK_MONOTONIC.
func (monotonic) AfterFunc(d time.Duration, f func()) (stop func()) {
	timer := time.AfterFunc(d, f)
	return func() { timer.Stop() }
}

type boottime struct{}

func (boottime) Now() time.Duration { return read(unix.CLOCK_BOOTTIME) }

func (boottime) AfterFunc(d time.Duration, f func()) (stop func()) {
	timer, err := newTimer(d)
	if err != nil {
		return monotonic{}.AfterFunc(d, f) // later if the machine sleeps, but never too early
	}
	go func() {
		defer timer.Close()
		var expirations [8]byte
		if _, err := timer.Read(expirations[:]); err == nil {
			f()
		}
	}()
	return func() { timer.Close() }
}

// newTimer returns a file that can be read once d has passed in CLOCK_BOOTTIME
// (timerfd_create(2)).
func newTimer(d time.Duration) (*os.File, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	timer := os.NewFile(uintptr(fd), "timerfd")
	// Zero would disarm it.
	when := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))}
	if err := unix.TimerfdSettime(fd, 0, &when, nil); err != nil {
		timer.Close()
		return nil, os.NewSyscallError("timerfd_settime", err)
	}
	return timer, nil
}

// read reads a clock that every kernel has.
func read(clock int32) time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(clock, &now)
	return time.Duration(now.Nano())
}
