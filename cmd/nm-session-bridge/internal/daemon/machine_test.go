package daemon

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

const (
	logindName  = "org.freedesktop.login1"
	systemdName = "org.freedesktop.systemd1"
	// everybody owns all names on the machine's buses.
	everybody = ":1.1"
	// marked is where the serial of an answered call goes.
	marked = uint32(0xfeedbeef)
)

// machine is both buses of a machine, in memory, with the answers that the
// bridge needs. The messages of a transition are encoded beforehand, so every
// allocation during a transition is the bridge's.
type machine struct {
	testing.TB
	system net.Conn // the bridge's connection
	log    *bufio.Reader
	stop   context.CancelFunc
	ended  chan error

	signals map[bool][]byte // of the lid, by closed

	mu     sync.Mutex // keeps an answer from being older than the signal before it
	isShut bool
}

// newMachine runs the bridge until it is ready. logind prepares for sleep, so
// the lid switch follows every change at once.
func newMachine(tb testing.TB) *machine {
	tb.Helper()
	m := &machine{TB: tb, ended: make(chan error, 1), signals: map[bool][]byte{}}
	for _, closed := range []bool{false, true} {
		m.signals[closed] = signalOf("/org/freedesktop/login1", "org.freedesktop.DBus.Properties", "PropertiesChanged",
			logindName+".Manager", map[string]dbus.Variant{"LidClosed": dbus.MakeVariant(closed)}, []string{})
	}
	systems := make(chan net.Conn, 1)
	tb.Setenv("DBUS_SYSTEM_BUS_ADDRESS", m.listen(systems))
	tb.Setenv("DBUS_SESSION_BUS_ADDRESS", m.listen(make(chan net.Conn, 1)))
	tb.Setenv("XDG_RUNTIME_DIR", tb.TempDir())
	read, write, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	m.log = bufio.NewReader(read)
	var ctx context.Context
	ctx, m.stop = context.WithCancel(context.Background())
	go func() {
		m.ended <- Run(ctx, Config{
			Switches: observers.Table(),
			Policy:   observers.Policy{OnlineWhen: observers.Full, GoneGrace: time.Hour},
		}, journal.New(write))
		write.Close()
	}()
	tb.Cleanup(m.end)
	m.system = <-systems
	m.await("msg=observing")
	return m
}

func (m *machine) end() {
	m.stop()
	if _, err := io.Copy(io.Discard, m.log); err != nil {
		m.Error(err)
	}
	if err := <-m.ended; err != nil {
		m.Error(err)
	}
}

// await reads the log up to a line that contains some words.
func (m *machine) await(words string) {
	m.Helper()
	for {
		line, err := m.log.ReadSlice('\n')
		if err != nil {
			m.Fatal("the bridge has ended: ", err)
		}
		if bytes.Contains(line, []byte(words)) {
			return
		}
	}
}

// turn moves the lid and waits until the bridge has finished its transition.
func (m *machine) turn() {
	m.Helper()
	m.mu.Lock()
	m.isShut = !m.isShut
	_, err := m.system.Write(m.signals[m.isShut])
	m.mu.Unlock()
	if err != nil {
		m.Fatal(err)
	}
	m.await(`msg="lid is`)
}

// listen opens a bus, and passes on the first connection to it.
func (m *machine) listen(first chan<- net.Conn) (address string) {
	m.Helper()
	return bustest.Listen(m, func(conn net.Conn) func([]byte) error {
		select {
		case first <- conn:
		default:
		}
		jobs := newJobs()
		return func(call []byte) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			answer := jobs.take(call)
			if answer == nil {
				answer = m.answerTo(call)
			}
			_, err := conn.Write(answer)
			return err
		}
	})
}

// jobs are the user manager's answers to jobs for the lid's targets. A stop only
// gets an answer. A start also gets the signals of what it does to both targets.
type jobs struct {
	stopped []byte
	started map[string][]byte // by target
	out     []byte
}

func newJobs() jobs {
	j := jobs{stopped: reply(jobPath(1)), started: map[string][]byte{}}
	for target, other := range map[string]string{"lid-open": "lid-closed", "lid-closed": "lid-open"} {
		j.started[target] = bytes.Join([][]byte{
			reply(jobPath(2)),
			unitChanged(other, "active", 1), unitChanged(other, "inactive", 1), jobRemoved(other, 1), unitChanged(other, "inactive", 0),
			unitChanged(target, "inactive", 2), unitChanged(target, "active", 2), jobRemoved(target, 2), unitChanged(target, "active", 0),
		}, nil)
	}
	return j
}

// take answers a call that requests a job, and allocates nothing.
func (j *jobs) take(call []byte) []byte {
	prepared := j.stopped
	switch isStart := bytes.Contains(call, []byte("StartUnit")); {
	case isStart && bytes.Contains(call, []byte("lid-open.target")):
		prepared = j.started["lid-open"]
	case isStart && bytes.Contains(call, []byte("lid-closed.target")):
		prepared = j.started["lid-closed"]
	case isStart || !bytes.Contains(call, []byte("StopUnit")):
		return nil
	}
	j.out = append(j.out[:0], prepared...)
	return answering(call, j.out)
}

func unitPathOf(target string) dbus.ObjectPath {
	return dbus.ObjectPath("/org/freedesktop/systemd1/unit/" + string(bytes.ReplaceAll([]byte(target), []byte("-"), []byte("_2d"))) + "_2etarget")
}

// unitChanged returns the signals that a user manager (252) sends about a target
// at each change.
func unitChanged(target, active string, job uint32) []byte {
	at := uint64(time.Now().UnixMicro())
	path := dbus.ObjectPath("/")
	if job != 0 {
		path = jobPath(job)
	}
	changed := map[string]dbus.Variant{
		"ActiveState": dbus.MakeVariant(active), "SubState": dbus.MakeVariant(active), "FreezerState": dbus.MakeVariant("running"),
		"Job": dbus.MakeVariant(struct {
			ID   uint32
			Path dbus.ObjectPath
		}{job, path}),
		"ConditionResult": dbus.MakeVariant(true), "AssertResult": dbus.MakeVariant(true),
		"InvocationID": dbus.MakeVariant(make([]byte, 16)),
	}
	for _, name := range []string{"StateChange", "InactiveExit", "ActiveEnter", "ActiveExit", "InactiveEnter", "Condition", "Assert"} {
		changed[name+"Timestamp"] = dbus.MakeVariant(at)
		changed[name+"TimestampMonotonic"] = dbus.MakeVariant(at)
	}
	return signalOf(unitPathOf(target), "org.freedesktop.DBus.Properties", "PropertiesChanged", systemdName+".Unit", changed, []string{})
}

func jobRemoved(target string, job uint32) []byte {
	return signalOf("/org/freedesktop/systemd1", systemdName+".Manager", "JobRemoved",
		job, jobPath(job), target+".target", "done")
}

func jobPath(job uint32) dbus.ObjectPath { return dbus.ObjectPath(fmt.Sprintf("/job/%d", job)) }

// answerTo answers the calls that the bridge makes when it starts.
func (m *machine) answerTo(call []byte) []byte {
	if dbus.Type(call[bustest.PlaceOfType]) != dbus.TypeMethodCall || dbus.Flags(call[bustest.PlaceOfFlags])&dbus.FlagNoReplyExpected != 0 {
		return nil
	}
	asked, err := dbus.DecodeMessage(bytes.NewReader(call))
	if err != nil {
		return refuse()
	}
	member, _ := asked.Headers[dbus.FieldMember].Value().(string)
	var answer []byte
	switch member {
	case "Hello":
		answer = busReply(":1.7")
	case "RequestName":
		answer = busReply(uint32(dbus.RequestNameReplyPrimaryOwner))
	case "GetNameOwner":
		answer = busReply(everybody)
	case "AddMatch", "RemoveMatch":
		answer = busReply()
	case "Subscribe":
		answer = reply()
	case "Introspect":
		answer = reply(`<node><interface name="` + logindName + `.Manager"><property name="LidClosed" type="b" access="read"/></interface></node>`)
	case "GetAll":
		iface, _ := asked.Body[0].(string)
		answer = reply(m.propertiesOf(iface))
	case "Get": // the units that a target conflicts with
		answer = reply(dbus.MakeVariant([]string{"lid-open.target", "lid-closed.target"}))
	case "ListUnitsByPatterns":
		answer = reply(list(nil))
	case "ListUnitsByNames":
		answer = reply(list(asked.Body[0]))
	default:
		answer = refuse()
	}
	return answering(call, answer)
}

func (m *machine) propertiesOf(iface string) map[string]dbus.Variant {
	all := map[string]dbus.Variant{}
	for name, value := range map[string]map[string]any{
		logindName + ".Manager": {"LidClosed": m.isShut, "PreparingForSleep": true, "InhibitDelayMaxUSec": uint64(5_000_000)},
		"org.freedesktop.NetworkManager": {
			"Connectivity": uint32(4), "State": uint32(70), "Metered": uint32(4), "Startup": false, "ConnectivityCheckEnabled": true,
			"ActiveConnections": []dbus.ObjectPath{},
		},
		logindName + ".User": {"Sessions": []struct {
			ID   string
			Path dbus.ObjectPath
		}{}},
		"org.freedesktop.UPower": {"OnBattery": false, "LidIsClosed": false, "LidIsPresent": true},
	}[iface] {
		all[name] = dbus.MakeVariant(value)
	}
	return all
}

// listed is an element of ListUnitsByNames' answer.
type listed struct {
	Name, Description, Load, Active, Sub, Following string
	Path                                            dbus.ObjectPath
	JobID                                           uint32
	JobType                                         string
	JobPath                                         dbus.ObjectPath
}

// list lists units. Those that belong to the machine's present state are active.
func list(names any) []listed {
	units := []listed{}
	asked, _ := names.([]string)
	for _, name := range asked {
		active := "inactive"
		switch name {
		case "internet-online.target", "lid-open.target", "sleep.target", "power-ac.target", "network-unmetered.target", "vpn-down.target":
			active = "active"
		}
		units = append(units, listed{Name: name, Load: "loaded", Active: active, Sub: active, Path: "/u", JobPath: "/"})
	}
	return units
}

const busName = "org.freedesktop.DBus"

func signalOf(path dbus.ObjectPath, iface, member string, body ...any) []byte {
	return encoded(dbus.TypeSignal, everybody, bustest.Headers{dbus.FieldPath: path, dbus.FieldInterface: iface, dbus.FieldMember: member}, body...)
}

func reply(body ...any) []byte {
	return encoded(dbus.TypeMethodReply, everybody, bustest.Headers{dbus.FieldReplySerial: marked}, body...)
}

// busReply is an answer of the bus itself.
func busReply(body ...any) []byte {
	return encoded(dbus.TypeMethodReply, busName, bustest.Headers{dbus.FieldReplySerial: marked}, body...)
}

func refuse() []byte {
	return encoded(dbus.TypeError, busName, bustest.Headers{
		dbus.FieldReplySerial: marked, dbus.FieldErrorName: "org.freedesktop.DBus.Error.AccessDenied",
	}, "not on this machine")
}

func encoded(kind dbus.Type, sender string, headers bustest.Headers, body ...any) []byte {
	headers[dbus.FieldSender] = sender
	return bustest.Message(binary.LittleEndian, kind, headers, body...)
}

// answering makes an answer one to a call.
func answering(call, answer []byte) []byte {
	copy(answer[bytes.Index(answer, binary.LittleEndian.AppendUint32(nil, marked)):], call[bustest.PlaceOfSerial:][:4])
	return answer
}
