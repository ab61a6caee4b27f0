package systemdctl

import (
	"math"
	"testing"
	"time"
)

func TestTheStartLimitIsWaitedOut(t *testing.T) {
	const interval = 10 * time.Second
	now := time.Now()
	for _, test := range []struct {
		name     string
		interval uint64 // microseconds
		failed   time.Time
		want     time.Duration
	}{
		{"just now", 10_000_000, now, interval},
		{"in the midst of it", 10_000_000, now.Add(-4 * time.Second), 6 * time.Second},
		{"long ago", 10_000_000, now.Add(-time.Minute), -50 * time.Second},
		{"before the clock was set back", 10_000_000, now.Add(time.Hour), interval},
		{"under a limit without end, before the clock was set back", math.MaxUint64, now.Add(time.Hour), math.MaxInt64 / 1000 * 1000},
	} {
		got := limited{StartLimitIntervalUSec: test.interval, StateChangeTimestamp: uint64(test.failed.UnixMicro())}.rest(now)
		if off := got - test.want; off < -time.Microsecond || off > time.Microsecond {
			t.Errorf("%s: %v is left, not %v", test.name, got, test.want)
		}
	}
}
