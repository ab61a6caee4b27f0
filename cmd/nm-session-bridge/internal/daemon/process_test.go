package daemon

import (
	"context"
	"strconv"
	"testing"
)

// Whoever looks at the program's file must be woken now and then, also where the service
// manager watches nothing.
func TestSomethingTicksWithAndWithoutAWatchdog(t *testing.T) {
	for name, microseconds := range map[string]string{"none": "", "off": "0", "of a millisecond": "1000", "nonsense": "soon"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", microseconds)
			t.Setenv("WATCHDOG_PID", "")
			ticks := watchdog(context.Background())
			if ticks == nil {
				t.Fatal("nothing ticks")
			}
			if n, err := strconv.Atoi(microseconds); err == nil && n > 0 {
				<-ticks
			} else if len(ticks) > 0 {
				t.Error("it ticks at once")
			}
		})
	}
}
