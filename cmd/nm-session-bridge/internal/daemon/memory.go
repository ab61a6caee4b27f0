package daemon

import (
	"math"
	"runtime"
	"runtime/debug"
)

// roomAtRest is how much a bridge at rest allocates before its garbage is collected. Go's
// runtime collects a small heap after the same amount.
const roomAtRest = 4 << 20

// collector tells Go's runtime when to collect garbage. The runtime would do so every two
// minutes even without garbage, which wakes a machine at rest.
type collector struct {
	resting bool
	percent int // the value before the rest
}

// rest frees what memory it can. From then on, it collects only when there is garbage.
func (c *collector) rest() {
	debug.FreeOSMemory()
	if c.resting {
		return
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	// The limit comes first, so that garbage is collected at any moment.
	debug.SetMemoryLimit(int64(m.Sys-m.HeapReleased) + roomAtRest)
	c.resting, c.percent = true, debug.SetGCPercent(-1)
}

// work collects as usual again.
func (c *collector) work() {
	if !c.resting {
		return
	}
	c.resting = false
	debug.SetGCPercent(c.percent)
	debug.SetMemoryLimit(math.MaxInt64)
}
