package daemon

import (
	"bytes"
	"os"
	"runtime"
	"testing"
	"time"
)

// BenchmarkTransition covers a transition's whole way: the signal's bytes, the
// switch, the job, the user manager's signals and the log. Transitions that follow
// each other this fast share the bridge's own signals.
func BenchmarkTransition(b *testing.B) {
	procs := runtime.GOMAXPROCS(1) // as run sets it
	defer runtime.GOMAXPROCS(procs)
	m := newMachine(b)
	b.ReportAllocs()
	for b.Loop() {
		m.turn()
	}
}

// BenchmarkForeignSignal shows that a flood of strangers' signals costs no more
// than reading them.
func BenchmarkForeignSignal(b *testing.B) {
	procs := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(procs)
	m := newMachine(b)
	foreign := bytes.Replace(signalOf("/org/example/Noise", "org.example.Noise", "Noise", "x"), []byte(everybody), []byte(":6.6"), 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.system.Write(foreign); err != nil {
			b.Fatal(err)
		}
	}
	m.turn() // all have been read
}

// The budget is 2290, which was measured without the race detector, plus a fifth.
// godbus spends four fifths of it on decoding ten messages.
const transitionAllocations = 2750

func TestATransitionAllocatesNoMoreThanItDid(t *testing.T) {
	m := newMachine(t)
	if got := testing.AllocsPerRun(100, m.turn); got > transitionAllocations {
		t.Errorf("a transition allocates %.0f times, more than %d", got, transitionAllocations)
	}
}

func TestTransitionsLeaveNothingBehind(t *testing.T) {
	m := newMachine(t)
	m.turn()
	goroutines, descriptors := runtime.NumGoroutine(), openFiles(t)
	for range 1000 {
		m.turn()
	}
	// Some goroutines still wait for answers.
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines+1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines became %d", goroutines, runtime.NumGoroutine())
		}
	}
	if got := openFiles(t); got > descriptors {
		t.Errorf("%d file descriptors became %d", descriptors, got)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestMemoryIsGivenBackAtRest(t *testing.T) {
	m := newMachine(t)
	m.turn()
	collections := func() uint32 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.NumForcedGC
	}
	before := collections()
	for end := time.Now().Add(time.Minute); collections() == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was given back")
		}
	}
}
