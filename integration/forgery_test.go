package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/forgery"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// stranger is the user "nobody": neither root nor the bridge's own.
const stranger = 65534

// managed are the targets that a forgery could move.
var managed = []string{
	"internet-online.target", "internet-offline.target", "internet-portal.target",
	"lid-open.target", "lid-closed.target", "sleep.target",
}

// besieged is a scene with somebody who deceives the bridge.
type besieged struct {
	*scene
	dial   func() *forgery.Client
	forger *forgery.Client
	// witness is a connection like the bridge's: what reaches it reaches the
	// bridge, too.
	witness *forgery.Client
	reached atomic.Int64
	poison  atomic.Int64 // what reached the witness and would end a connection of godbus
	victim  forgery.Victim
	pid     int
}

// besiege brings up a sandbox with the bridge at rest and a stranger on the
// system bus.
func besiege(t *testing.T, options sandbox.Options) *besieged {
	t.Helper()
	s := beginOnlineWith(t, options)
	b := &besieged{scene: s}
	b.dial = func() *forgery.Client {
		socket, err := s.DialSystemBus(stranger)
		s.must(err)
		client, err := forgery.NewClient(socket, stranger, true, nil)
		s.must(err)
		return client
	}
	socket, err := s.DialSystemBus(sandbox.UID)
	s.must(err)
	b.attend(func(received func([]byte)) (*forgery.Client, error) {
		return forgery.NewClient(socket, sandbox.UID, false, received)
	})
	for _, name := range []string{"org.freedesktop.NetworkManager", "org.freedesktop.login1"} {
		b.victim.Owners[name], err = b.forger.Owner(name)
		s.must(err)
	}
	return b
}

// attend connects the forger and the witness.
func (b *besieged) attend(witness func(received func([]byte)) (*forgery.Client, error)) {
	b.Helper()
	b.forger = b.dial()
	var err error
	b.witness, err = witness(func(frame []byte) {
		message, err := dbus.DecodeMessage(bytes.NewReader(frame))
		var invalid dbus.InvalidMessageError
		if err != nil && !errors.As(err, &invalid) {
			b.poison.Add(1)
		}
		if err != nil || message.Type == dbus.TypeSignal && message.Headers[dbus.FieldSender].Value() != "org.freedesktop.DBus" {
			b.reached.Add(1)
		}
	})
	b.must(err)
	b.Cleanup(func() { _, _ = b.forger.Close(), b.witness.Close() })
	b.victim.Owners = map[string]string{}
	b.find()
}

// find finds the bridge's connection, as anybody can.
func (b *besieged) find() {
	b.Helper()
	pid, err := strconv.Atoi(b.systemctl("show", "-P", "MainPID", bridgeUnit))
	b.must(err)
	names, err := b.forger.ConnectionsOf(uint32(pid))
	b.must(err)
	if len(names) != 1 {
		b.Fatalf("the bridge has the connections %q, not one", names)
	}
	b.pid, b.victim.Name = pid, names[0]
}

// at is the same table of forgeries for somebody else.
func (b *besieged) at(name string) forgery.Victim {
	victim := b.victim
	victim.Name = name
	return victim
}

// try sends a forgery and connects anew where the bus does not bear it.
func (b *besieged) try(f forgery.Forgery) forgery.Outcome {
	b.Helper()
	outcome, _ := b.forger.Try(f.Frame)
	if outcome == forgery.Disconnected {
		_ = b.forger.Close()
		b.forger = b.dial()
	}
	return outcome
}

// lives tells whether the bridge still has the connection that it had.
func (b *besieged) lives() bool {
	b.Helper()
	_, err := b.forger.Call("GetConnectionUnixProcessID", b.victim.Name)
	return err == nil
}

// transitions counts how often managed targets changed their state since the
// timeline began.
func (b *besieged) transitions() int {
	b.Helper()
	b.settle()
	count := 0
	for _, event := range b.timeline.Events() {
		if event.Kind == sandbox.UnitChanged && slices.Contains(managed, event.Unit) {
			count++
		}
	}
	return count
}

// tryAll sends a table of forgeries to the bridge and to the witness and prints
// what the bus made of them.
func (b *besieged) tryAll(table func(forgery.Victim) []forgery.Forgery) {
	b.Helper()
	outcomes := map[forgery.Outcome]int{}
	toBridge, toWitness := table(b.victim), table(b.at(b.witness.Name))
	skip := map[string]bool{}
	for i, f := range toWitness {
		shape := f.Name[strings.LastIndex(f.Name, ", "):]
		if skip[shape] {
			continue
		}
		was := b.poison.Load()
		outcomes[b.try(toBridge[i])]++
		b.try(f)
		_, err := b.witness.Call("GetId")
		b.must(err)
		if b.poison.Load() > was {
			b.Logf("poison: %s", f.Name)
		}
		if !b.lives() {
			b.Errorf("%s: it ended the bridge's connection", f.Name)
			skip[shape] = true
			b.must(b.timeline.WaitStarts(b.ctx, bridgeUnit, 1))
			b.status("internet online, lid open")
			b.record()
			b.find()
			toBridge = table(b.victim)
		}
	}
	b.Logf("%d forgeries: the bus took %d, refused %d and disconnected the sender for %d; %d reached a connection like the bridge's, %d of them such that godbus would close it",
		len(toBridge), outcomes[forgery.Taken], outcomes[forgery.Refused], outcomes[forgery.Disconnected], b.reached.Load(), b.poison.Load())
}

func beginOnlineWith(t *testing.T, options sandbox.Options) *scene {
	t.Helper()
	s := begin(t, options)
	s.install()
	s.online()
	s.lid("open")
	s.status("internet online, lid open")
	s.settle()
	s.record()
	return s
}

func testForgeries(t *testing.T, options sandbox.Options) {
	b := besiege(t, options)
	b.tryAll(forgery.Table)
	b.tryAll(forgery.Large)
	_ = fmt.Sprint(fs.ErrExist, os.Args, strings.Fields(""), time.Now())
	if n := b.transitions(); n != 0 {
		t.Errorf("forgeries caused %d transitions", n)
	}
	b.must(b.Uplink.Unplug(b.ctx))
	b.offline()
	b.started(bridgeUnit, 0)
}

func TestForgeriesOnDbusDaemon(t *testing.T) { testForgeries(t, sandbox.Options{}) }

func TestForgeriesOnDbusBroker(t *testing.T) { testForgeries(t, sandbox.Options{Broker: true}) }
