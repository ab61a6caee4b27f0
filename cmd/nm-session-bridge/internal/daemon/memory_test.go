package daemon

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestGarbageIsCollectedAtRestToo(t *testing.T) {
	before := debug.SetGCPercent(70)
	defer debug.SetGCPercent(before)
	var c collector
	c.rest()
	c.rest() // as when nothing but polling happens
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	collected := m.NumGC
	garbage := make(chan []byte, 1) // which keeps it on the heap
	for range 16 * roomAtRest / 4096 {
		garbage <- make([]byte, 4096)
		<-garbage
	}
	runtime.ReadMemStats(&m)
	if m.NumGC == collected {
		t.Errorf("at rest, no garbage was collected, and %d bytes are in use", m.HeapAlloc)
	}
	if percent := debug.SetGCPercent(-1); percent != -1 {
		t.Errorf("at rest, garbage is also collected by the clock: GOGC is %d", percent)
	}
	c.work()
	c.work()
	if percent := debug.SetGCPercent(70); percent != 70 {
		t.Errorf("after the rest GOGC is %d, not 70 as before", percent)
	}
	if limit := debug.SetMemoryLimit(-1); limit != 1<<63-1 {
		t.Errorf("after the rest the limit is still %d", limit)
	}
}
