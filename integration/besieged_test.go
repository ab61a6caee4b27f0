package integration

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/forgery"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// stranger is the user "nobody": neither root nor the bridge's own.
const stranger = 65534

// besieged is a scene with a forger who tries to deceive the bridge.
type besieged struct {
	*scene
	dial    func() (*forgery.Client, error)
	forger  *forgery.Client
	witness *forgery.Witness
	victim  forgery.Victim
	pid     int
	before  string // the bridge's process
	logged  int    // how long the log was
}

// besiege brings up a sandbox with the bridge, given some flags, at rest.
func besiege(t *testing.T, options sandbox.Options, flags string) *besieged {
	t.Helper()
	b := &besieged{scene: begin(t, options)}
	// SIGQUIT must print our goroutines, not the runtime's own.
	b.write(".config/systemd/user/"+bridgeUnit+".d/traces.conf", "[Service]\nEnvironment=GOTRACEBACK=all\n")
	b.flags(flags)
	b.install()
	b.waitLog("internet is online")
	b.waitLog("lid is open")
	b.locks(1)
	return b
}

// bySystemBus makes another user the forger, on the system bus.
func (b *besieged) bySystemBus() {
	b.Helper()
	b.dial = func() (*forgery.Client, error) {
		socket, err := b.DialSystemBus(stranger)
		if err != nil {
			return nil, err
		}
		return forgery.NewClient(socket, stranger, true)
	}
	socket, err := b.DialSystemBus(sandbox.UID)
	b.must(err)
	b.attend(socket, "org.freedesktop.NetworkManager", "org.freedesktop.login1")
}

// bySessionBus makes a process of the bridge's own user the forger, on the session bus.
func (b *besieged) bySessionBus() {
	b.Helper()
	b.dial = func() (*forgery.Client, error) {
		socket, err := b.DialSessionBus(sandbox.UID)
		if err != nil {
			return nil, err
		}
		return forgery.NewClient(socket, sandbox.UID, true)
	}
	socket, err := b.DialSessionBus(sandbox.UID)
	b.must(err)
	b.attend(socket, "org.freedesktop.systemd1")
}

// attend connects the forger, and the witness through a socket, and finds the victim.
// From then on nothing may change by itself.
func (b *besieged) attend(socket net.Conn, services ...string) {
	b.Helper()
	var err error
	b.forger, err = b.dial()
	b.must(err)
	b.witness, err = forgery.NewWitness(socket, sandbox.UID)
	b.must(err)
	b.Cleanup(func() {
		_ = b.forger.Close()
		_ = b.witness.Close()
	})
	b.victim.Owners = map[string]string{}
	for _, name := range services {
		b.victim.Owners[name], err = b.forger.Owner(name)
		b.must(err)
	}
	b.online()
	b.lid("open")
	b.status("internet online")
	b.status("lid open")
	b.settle()
	b.record()
	b.before, b.logged = b.process(), len(b.log())
	b.pid, err = strconv.Atoi(b.systemctl("show", "-P", "MainPID", bridgeUnit))
	b.must(err)
	names, err := b.forger.ConnectionsOf(uint32(b.pid))
	b.must(err)
	if len(names) != 1 {
		b.Fatalf("the bridge has the connections %q, not one", names)
	}
	b.victim.Name = names[0]
}

// process identifies the bridge's process and its start.
func (b *besieged) process() string {
	b.Helper()
	return b.systemctl("show", "-p", "MainPID", "-p", "InvocationID", "-p", "NRestarts", bridgeUnit)
}

// try sends a forgery, and connects again if the bus disconnects the forger.
func (b *besieged) try(frame forgery.Frame, unfinished bool) forgery.Outcome {
	b.Helper()
	outcome := forgery.Disconnected
	if unfinished {
		b.must(b.forger.Send(frame))
	} else {
		outcome, _ = b.forger.Try(frame)
	}
	if outcome == forgery.Disconnected {
		_ = b.forger.Close()
		var err error
		b.forger, err = b.dial()
		b.must(err)
	}
	return outcome
}

// asWitness returns a victim with the witness in the place of the bridge.
func (b *besieged) asWitness() forgery.Victim {
	return forgery.Victim{Name: b.witness.Name, Owners: b.victim.Owners}
}

// tryAll sends forgeries to the bridge, and the same to the witness.
func (b *besieged) tryAll(table func(forgery.Victim) []forgery.Forgery) map[forgery.Outcome]int {
	b.Helper()
	toWitness := table(b.asWitness())
	outcomes := map[forgery.Outcome]int{}
	for i, f := range table(b.victim) {
		outcomes[b.try(f.Frame, f.Unfinished)]++
		b.try(toWitness[i].Frame, f.Unfinished)
		b.survives(f)
	}
	// Whoever has read the answer has also read everything before it.
	_, err := b.witness.Call("GetId")
	b.must(err)
	return outcomes
}

// survives checks that the bridge still has its connection.
func (b *besieged) survives(f forgery.Forgery) {
	b.Helper()
	if _, err := b.forger.Call("GetConnectionUnixProcessID", b.victim.Name); err != nil {
		b.Fatalf("%s: the bridge has lost its connection: %v", f.Name, err)
	}
}

// lidMoves closes and opens the lid. Once the targets have followed, the bridge has
// read everything that was sent to it before.
func (b *besieged) lidMoves() {
	b.Helper()
	b.must(b.Login1.SetLid(true))
	b.lid("closed")
	b.must(b.Login1.SetLid(false))
	b.lid("open")
}

// caused counts the transitions without a real cause: every change of a target that
// is not named, and every start of a named one after its first.
func (b *besieged) caused(genuine ...string) int {
	b.Helper()
	for _, target := range genuine {
		b.must(b.timeline.WaitStarts(b.ctx, target, 1))
	}
	b.settle()
	excess := 0
	for _, event := range b.timeline.Events() {
		moved := event.Kind == sandbox.UnitChanged && strings.HasSuffix(event.Unit, ".target")
		if moved && (!slices.Contains(genuine, event.Unit) || event.Started && b.timeline.Starts(event.Unit) > 1) {
			b.Errorf("a transition that is not real: %s", event)
			excess++
		}
	}
	return excess
}

// unharmed checks that the bridge is still the same process, and has logged only what
// really changed.
func (b *besieged) unharmed(lines int) {
	b.Helper()
	if now := b.process(); now != b.before {
		b.Errorf("the bridge was\n%s\nand is\n%s", b.before, now)
	}
	var said []string
	for len(said) < lines && b.ctx.Err() == nil { // it logs a change when the change is complete
		said = slices.Collect(strings.Lines(strings.TrimSpace(b.log()[b.logged:])))
	}
	if len(said) != lines {
		b.Errorf("the bridge had something to say of forgeries:\n%s", strings.Join(said, ""))
	}
}

// footprint is how much a process holds.
type footprint struct {
	fds, threads  int
	resident, top int // KiB: now, and at most since the last forgetTop
}

func (b *besieged) footprint() footprint {
	b.Helper()
	held := footprint{fds: b.fds()}
	for name, value := range map[string]*int{"Threads": &held.threads, "VmRSS": &held.resident, "VmHWM": &held.top} {
		*value = b.procStatus(name)
	}
	return held
}

func (b *besieged) fds() int {
	b.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.pid))
	b.must(err)
	return len(fds)
}

// leaksNothing waits until the bridge holds no more descriptors than before. The bridge
// closes the connection that has taken a delay lock only after logind has given the lock.
func (b *besieged) leaksNothing(before int) {
	b.Helper()
	b.until("the bridge has closed its descriptors", func() bool { return b.fds() <= before })
}

func (b *besieged) procStatus(name string) int {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.pid))
	b.must(err)
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			number, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			b.must(err)
			return number
		}
	}
	b.Fatalf("/proc/%d/status does not tell %s", b.pid, name)
	return 0
}

// forgetTop resets the kernel's peak of resident memory (proc(5), clear_refs).
func (b *besieged) forgetTop() {
	b.Helper()
	b.must(os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", b.pid), []byte("5"), 0))
}

// goroutines ends the bridge in the way that makes it print its goroutines, and
// starts it again.
func (b *besieged) goroutines() []string {
	b.Helper()
	seen := len(b.log())
	b.systemctl("kill", "-s", "QUIT", bridgeUnit)
	b.expect("failed", bridgeUnit)
	b.locks(0)
	var created []string
	for line := range strings.Lines(b.log()[seen:]) {
		by, ok := strings.CutPrefix(line, "created by ")
		// The runtime's own goroutines come and go with garbage collection.
		if ok && !strings.HasPrefix(by, "runtime.") {
			by, _, _ = strings.Cut(by, " in goroutine")
			created = append(created, by)
		}
	}
	if len(created) == 0 {
		b.Fatal("the bridge does not tell its goroutines")
	}
	slices.Sort(created)
	b.systemctl("start", bridgeUnit)
	b.status("internet online")
	b.status("lid open")
	b.locks(1)
	return created
}

// volleys returns the small forgeries that do not disconnect the sender: those
// without descriptors, joined so that they are written in one piece, and those with
// one descriptor each.
func (b *besieged) volleys() (bare, withFDs []volley) {
	b.Helper()
	const size = 32
	var frames []volley
	toWitness := forgery.Table(b.asWitness())
	for i, f := range forgery.Table(b.victim) {
		if !f.Small {
			continue
		}
		if v, borne := b.volley(f.Frame, toWitness[i].Frame); f.FDs == 0 && borne {
			frames = append(frames, v)
		}
		if v, borne := b.volley(f.WithFD(), toWitness[i].WithFD()); borne {
			// dbus-broker assigns all descriptors of one piece to its first message.
			withFDs = append(withFDs, v)
		}
		b.survives(f)
	}
	for some := range slices.Chunk(frames, size) {
		var together volley
		for _, one := range some {
			together.Bytes = append(together.Bytes, one.Bytes...)
			together.sent += one.sent
			together.delivered += one.delivered
		}
		bare = append(bare, together)
	}
	return bare, withFDs
}

// volley is a number of frames that are written in one piece.
type volley struct {
	forgery.Frame
	sent, delivered int
}

// volley makes a volley of a frame, unless the frame disconnects the sender. It finds
// out whether the bus delivers such frames to the witness.
func (b *besieged) volley(frame, toWitness forgery.Frame) (v volley, borne bool) {
	b.Helper()
	if b.try(frame, false) == forgery.Disconnected {
		return volley{}, false
	}
	reached := b.witness.Reached.Load()
	b.try(toWitness, false)
	_, err := b.witness.Call("GetId")
	b.must(err)
	return volley{frame, 1, int(b.witness.Reached.Load() - reached)}, true
}

// shoot sends at least the given number of forgeries, one volley after the other, and
// returns how many the bus delivers to the bridge.
func (b *besieged) shoot(volleys []volley, atLeast int) (sent, delivered int) {
	b.Helper()
	for sent < atLeast {
		for _, v := range volleys {
			b.must(b.forger.Send(v.Frame))
			sent += v.sent
			delivered += v.delivered
		}
	}
	return sent, delivered
}

// reachedAt returns when a target became active.
func (b *besieged) reachedAt(target string) time.Time {
	b.Helper()
	for _, event := range b.timeline.Events() {
		if event.Kind == sandbox.UnitChanged && event.Unit == target && event.Active == "active" {
			return event.Time
		}
	}
	b.Fatalf("%s was not reached", target)
	return time.Time{}
}

// figures prints a line that is visible even if the test passes.
func (b *besieged) figures(format string, values ...any) {
	fmt.Printf("%s: %s\n", b.Name(), fmt.Sprintf(format, values...))
}

// nextConnections returns forgeries to the connections that will be made next. It
// leaves out logind's own, which comes first and whose imitation is not under test.
func (b *besieged) nextConnections(how string) []forgery.Frame {
	b.Helper()
	last, err := strconv.Atoi(strings.TrimPrefix(b.forger.Name, ":1."))
	b.must(err)
	var frames []forgery.Frame
	for next := last + 2; next < last+6; next++ {
		victim := forgery.Victim{Name: fmt.Sprintf(":1.%d", next), Owners: b.victim.Owners}
		for _, f := range forgery.Table(victim) {
			// There are few, so that each comes often: the connection lives for milliseconds.
			if f.Name == "PrepareForSleep of org.freedesktop.login1.Manager, unicast, "+how {
				frames = append(frames, f.Frame)
			}
		}
	}
	if len(frames) == 0 {
		b.Fatalf("there is no forgery with %s", how)
	}
	return frames
}

// pelt sends frames again and again until cease is called or the bus has had enough and
// disconnects the sender. cease returns how many frames the bus was sent and did not refuse.
func (b *besieged) pelt(frames []forgery.Frame) (cease func() int) {
	stop, done := make(chan struct{}), make(chan int)
	const most = 1_000_000
	go func() {
		sent := 0
		defer func() { done <- sent }()
		for sent < most {
			for _, frame := range frames {
				select {
				case <-stop:
					return
				default:
				}
				if b.forger.Send(frame) != nil {
					return
				}
				sent++
			}
		}
	}()
	return func() int {
		close(stop)
		sent := <-done
		// The call waits until the bus has handled the frames. After a disconnection
		// there is nothing to wait for.
		_, _ = b.forger.Call("GetId")
		return sent - int(b.forger.Refusals.Load())
	}
}
