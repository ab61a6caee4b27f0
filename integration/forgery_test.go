package integration

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/forgery"
	"github.com/nm-session-bridge/nm-session-bridge/integration/needs"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// burst is how many forgeries a burst has, with and without descriptors.
const burst = 100_000

func TestForgeriesOnDbusDaemon(t *testing.T) {
	testForgeries(t, sandbox.Options{Bus: sandbox.DbusDaemon})
}

func TestForgeriesOnDbusBroker(t *testing.T) {
	testForgeries(t, sandbox.Options{Bus: sandbox.DbusBroker})
}

func testForgeries(t *testing.T, options sandbox.Options) {
	leaveOutBroker(t, options)
	b := besiege(t, options, "")
	b.bySystemBus()
	b.beDeceived()
}

func TestForgeriesOnTheSessionBus(t *testing.T) {
	b := besiege(t, sandbox.Options{}, "")
	if _, err := b.DialSessionBus(stranger); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("another user gets to the session bus: %v", err)
	}
	// The directory's permissions keep others out, and so does the bus itself.
	b.must(os.Chmod(sandbox.RuntimeDir, 0o711))
	socket, err := b.DialSessionBus(stranger)
	b.must(err)
	if _, err := forgery.NewClient(socket, stranger, true); err == nil {
		t.Error("the session bus takes another user")
	}
	b.must(os.Chmod(sandbox.RuntimeDir, 0o700))
	b.bySessionBus()
	b.beDeceived()
}

// leaveOutBroker skips a test if dbus-broker is not installed. An installed one
// would become the machine's own bus. Every suite has it.
func leaveOutBroker(t *testing.T, options sandbox.Options) {
	t.Helper()
	if options.Bus == sandbox.DbusBroker && *suite == "" && !needs.Broker().Installed() {
		t.Skip("LEFT OUT: dbus-broker is not installed; go test ./integration -suite=forky has one of its own")
	}
}

// beDeceived tries the whole table on the bridge.
func (b *besieged) beDeceived() {
	b.Helper()
	outcomes := b.tryAll(forgery.Table)
	for outcome, n := range b.tryAll(forgery.Large) {
		outcomes[outcome] += n
	}
	if b.caused() != 0 {
		b.FailNow()
	}
	b.lidMoves()
	caused := b.caused("lid-closed.target", "lid-open.target")
	b.unharmed(2)
	reached, poison := b.witness.Reached.Load(), b.witness.Poison.Load()
	b.figures("forged in %d ways, taken %d, refused %d, sender disconnected %d; reached a connection like the bridge's %d, %d of them such that godbus would close it: transitions caused %d",
		outcomes[forgery.Taken]+outcomes[forgery.Refused]+outcomes[forgery.Disconnected],
		outcomes[forgery.Taken], outcomes[forgery.Refused], outcomes[forgery.Disconnected], reached, poison, caused)
	if reached == 0 || poison == 0 {
		b.Error("too little reached a connection like the bridge's: that proves nothing")
	}
}

func TestABurstOfForgeriesOnDbusDaemon(t *testing.T) {
	testBurst(t, sandbox.Options{Bus: sandbox.DbusDaemon})
}

func TestABurstOfForgeriesOnDbusBroker(t *testing.T) {
	testBurst(t, sandbox.Options{Bus: sandbox.DbusBroker})
}

func testBurst(t *testing.T, options sandbox.Options) {
	leaveOutBroker(t, options)
	// Only for these targets is it certain what follows from a cable and a lid.
	b := besiege(t, options, "--switches=internet,lid,sleep")
	goroutines := b.goroutines()
	b.bySystemBus()
	bare, withFDs := b.volleys()

	before := b.footprint()
	b.forgetTop()
	began := time.Now()
	sent, delivered := b.shoot(bare, burst/2)
	moved := time.Now()
	b.must(b.Login1.SetLid(true))
	b.must(b.Uplink.Unplug(b.ctx))
	more, moreDelivered := b.shoot(bare, burst/2)
	withFD, deliveredWithFD := b.shoot(withFDs, burst)
	_, err := b.forger.Call("GetId")
	b.must(err)
	took := time.Since(began)
	_, err = b.witness.Call("GetId")
	b.must(err)

	b.offline()
	b.lid("closed")
	lid := b.reachedAt("lid-closed.target").Sub(moved)
	cable := b.reachedAt("internet-offline.target").Sub(moved)
	b.must(b.Uplink.Plug(b.ctx))
	b.must(b.Login1.SetLid(false))
	b.online()
	b.lid("open")
	caused := b.caused("lid-closed.target", "internet-offline.target", "lid-open.target", "internet-online.target")
	b.unharmed(4)
	b.leaksNothing(before.fds)
	after := b.footprint()
	left := b.goroutines()
	const mib = 1024.0
	b.figures("forged %d (delivered %d), and %d with descriptors (delivered %d), in %.1f s: transitions caused %d, fds %d -> %d, goroutines %d -> %d, threads %d -> %d, RSS %.1f MiB -> %.1f MiB (peak %.1f)",
		sent+more, delivered+moreDelivered, withFD, deliveredWithFD, took.Seconds(), caused, before.fds, after.fds, len(goroutines), len(left), before.threads, after.threads,
		float64(before.resident)/mib, float64(after.resident)/mib, float64(after.top)/mib)
	b.figures("in the middle of it the lid's target followed in %v, the cable's in %v", lid.Round(time.Millisecond), cable.Round(time.Millisecond))
	if !slices.Equal(left, goroutines) {
		t.Errorf("the goroutines were %q and are %q", goroutines, left)
	}
	// This is far less than the burst would take if any part of it were kept.
	if most := before.resident*3/2 + 8*1024; after.top > most {
		t.Errorf("the bridge grew to %d KiB, more than %d", after.top, most)
	}
}

// The connection that takes the delay lock must accept descriptors. The bus
// gives unique names in order, so a stranger knows its name before it exists.
func TestForgeriesOnTheConnectionThatTakesTheLock(t *testing.T) {
	for _, how := range []string{"many descriptors attached", "keys that are booleans"} {
		t.Run(how, func(t *testing.T) { testLock(t, how) })
	}
}

func testLock(t *testing.T, how string) {
	b := besiege(t, sandbox.Options{}, "")
	b.locks(1)
	b.bySystemBus()
	before := b.fds()
	delivered := 0
	for range 3 {
		b.must(b.Login1.Vanish())
		b.locks(0)
		_ = b.forger.Close()
		var err error
		b.forger, err = b.dial()
		b.must(err)
		cease := b.pelt(b.nextConnections(how))
		b.must(b.Login1.Appear(b.ctx))
		b.locks(1)
		delivered += cease()
	}
	b.locks(1)
	b.leaksNothing(before)
	b.figures("sent %d to the connections that take the lock, not refused: fds %d -> %d", delivered, before, b.fds())
	if delivered == 0 {
		t.Error("nothing reached the connections that take the lock: that proves nothing")
	}
	if said := b.log()[b.logged:]; strings.Contains(said, "cannot delay sleep") {
		t.Errorf("a stranger kept the bridge from its lock:\n%s", said)
	}
	if now := b.process(); now != b.before {
		t.Errorf("the bridge was\n%s\nand is\n%s", b.before, now)
	}
}
