// Package bustest is for tests of what talks over D-Bus. It has three kinds of
// peers, from the most real to the most obedient: a real dbus-daemon ([Start]), a
// bus in memory that a test answers for in the wire format ([Listen]), and a
// service in memory whose calls and signals never leave the test ([Service]).
package bustest

import (
	"testing"
	"time"
)

// patience bounds every wait for something that must happen. It does not measure
// speed.
const patience = time.Minute

// Next waits for a value from a channel. If none comes, the test fails and says
// what is missing.
func Next[T any](tb testing.TB, from <-chan T, what string) T {
	tb.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		tb.Fatal(what + " is missing")
		panic("not reached")
	}
}
