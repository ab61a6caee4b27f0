package forgery

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	daemonName    = "org.freedesktop.DBus"
	propertiesIfc = daemonName + ".Properties"

	networkManager = "org.freedesktop.NetworkManager"
	logind         = "org.freedesktop.login1"
	upower         = "org.freedesktop.UPower"
	userManager    = "org.freedesktop.systemd1"
)

var little, big binary.ByteOrder = binary.LittleEndian, binary.BigEndian

// Forgery is one way to deceive.
type Forgery struct {
	// Name says what it pretends to be and how.
	Name string
	Frame
	// Small reports whether it is well-formed and no larger than the real services'
	// messages.
	Small bool
	// Unicast reports whether it is sent to the victim alone.
	Unicast bool
	// Unfinished reports whether the bus waits for the rest.
	Unfinished bool

	letter letter
}

// WithFD returns the same frame with a file descriptor that it does not mention.
func (f Forgery) WithFD() Frame {
	f.letter.body.fds = 1
	return f.letter.frame()
}

// Victim is the client that the forgeries try to deceive.
type Victim struct {
	// Name is the unique name of its connection.
	Name string
	// Owners are the unique names of the services that it believes, by name.
	Owners map[string]string
}

// Table returns every forgery, broadcast and to the victim alone.
func Table(victim Victim) []Forgery {
	var table []Forgery
	for _, to := range []string{"", victim.Name} {
		for _, lie := range lies(victim) {
			table = append(table, shapes(lie.to(to))...)
		}
	}
	return append(table, malformed(lies(victim)[0].to(victim.Name))...)
}

// lie is a message that would move a switch or a target if it were believed.
type lie struct {
	name   string
	kind   dbus.Type
	fields map[dbus.HeaderField]any
	args   []any
	claims string // the unique name of the service that might say so
}

func (l lie) to(destination string) lie {
	if destination == "" {
		l.name += ", broadcast"
		return l
	}
	l.name += ", unicast"
	fields := map[dbus.HeaderField]any{dbus.FieldDestination: destination}
	for field, value := range l.fields {
		fields[field] = value
	}
	l.fields = fields
	return l
}

func (l lie) letter(b body) letter {
	return letter{kind: l.kind, fields: l.fields, body: b, order: little}
}

func signal(path dbus.ObjectPath, iface, member string) map[dbus.HeaderField]any {
	return map[dbus.HeaderField]any{
		dbus.FieldPath: path, dbus.FieldInterface: iface, dbus.FieldMember: member,
	}
}

func lies(victim Victim) []lie {
	changed := func(of string, path dbus.ObjectPath, iface string, properties map[string]any) lie {
		values := map[string]dbus.Variant{}
		for name, value := range properties {
			values[name] = dbus.MakeVariant(value)
		}
		return lie{
			"PropertiesChanged of " + iface, dbus.TypeSignal, signal(path, propertiesIfc, "PropertiesChanged"),
			[]any{iface, values, []string{}},
			victim.Owners[of],
		}
	}
	said := func(of string, path dbus.ObjectPath, iface, member string, args ...any) lie {
		return lie{member + " of " + iface, dbus.TypeSignal, signal(path, iface, member), args, victim.Owners[of]}
	}
	const (
		nmPath, logindPath      = "/org/freedesktop/NetworkManager", "/org/freedesktop/login1"
		busPath, managerPath    = "/org/freedesktop/DBus", "/org/freedesktop/systemd1"
		onlinePath              = managerPath + "/unit/internet_2donline_2etarget"
		logindIfc, managerIfc   = logind + ".Manager", userManager + ".Manager"
		sessionIfc              = logind + ".Session"
		sessionPath             = dbus.ObjectPath(logindPath + "/session/_31")
		deviceOne               = dbus.ObjectPath(nmPath + "/Devices/1")
		jobPath, somebodyElse   = dbus.ObjectPath(managerPath + "/job/7"), ":1.4242"
		offline, down, asleepNM = uint32(1), uint32(20), uint32(10)
	)
	all := []lie{
		changed(networkManager, nmPath, networkManager, map[string]any{
			"Connectivity": offline, "State": down, "Metered": uint32(1), "ActiveConnections": []dbus.ObjectPath{},
		}),
		changed(logind, logindPath, logindIfc, map[string]any{
			"LidClosed": true, "PreparingForSleep": true, "OnExternalPower": false,
		}),
		changed(logind, sessionPath, sessionIfc, map[string]any{"LockedHint": true}),
		said(logind, sessionPath, sessionIfc, "Lock"),
		changed(upower, "/org/freedesktop/UPower", upower, map[string]any{
			"LidIsClosed": true, "LidIsPresent": true, "OnBattery": true,
		}),
		changed(userManager, onlinePath, userManager+".Unit", map[string]any{"ActiveState": "inactive", "SubState": "dead"}),
		said(networkManager, nmPath, networkManager, "StateChanged", asleepNM),
		said(networkManager, nmPath, networkManager, "DeviceRemoved", deviceOne),
		said(networkManager, deviceOne, networkManager+".Device", "StateChanged", uint32(110), uint32(100), uint32(3)),
		said(logind, logindPath, logindIfc, "PrepareForSleep", true),
		said(userManager, managerPath, managerIfc, "JobRemoved", uint32(7), jobPath, "internet-online.target", "failed"),
		said(userManager, managerPath, managerIfc, "Reloading", true),
		said("", busPath, daemonName, "NameLost", victim.Name),
		said("", busPath, daemonName, "NameAcquired", networkManager),
	}
	for _, name := range []string{networkManager, logind, userManager} {
		for _, owner := range []string{"", somebodyElse} {
			all = append(all, said("", busPath, daemonName, "NameOwnerChanged", name, victim.Owners[name], owner))
		}
	}
	for member, iface := range map[string]string{"Ping": daemonName + ".Peer", "Introspect": daemonName + ".Introspectable", "StateChanged": networkManager} {
		all = append(all, lie{"call of " + member, dbus.TypeMethodCall, signal(nmPath, iface, member), nil, victim.Owners[networkManager]})
	}
	return append(all, answers(victim)...)
}

// answers returns replies and errors, with guessed serials, to calls that the victim
// may have made.
func answers(victim Victim) []lie {
	properties := map[string]dbus.Variant{"Connectivity": dbus.MakeVariant(uint32(1)), "State": dbus.MakeVariant(uint32(20)), "LidClosed": dbus.MakeVariant(true)}
	var all []lie
	for _, serial := range []uint32{1, 7, 12, 40} {
		all = append(all,
			lie{"reply", dbus.TypeMethodReply, map[dbus.HeaderField]any{dbus.FieldReplySerial: serial}, []any{properties}, victim.Owners[networkManager]},
			lie{"error", dbus.TypeError, map[dbus.HeaderField]any{
				dbus.FieldReplySerial: serial, dbus.FieldErrorName: daemonName + ".Error.NoReply",
			}, []any{"no"}, victim.Owners[logind]})
	}
	return all
}

// shapes returns the well-formed ways to say something: right, wrong and costly.
func shapes(l lie) []Forgery {
	honest := bodyOf(little, l.args...)
	var all []Forgery
	add := func(how string, small bool, letter letter) {
		all = append(all, Forgery{Name: l.name + ", " + how, Frame: letter.frame(), Small: small, Unicast: l.fields[dbus.FieldDestination] != nil, letter: letter})
	}
	add("as the real one", true, l.letter(honest))
	add("wrong types", true, l.letter(bodyOf(little, otherTypes(l.args)...)))
	add("missing keys", true, l.letter(bodyOf(little, withoutKeys(l.args)...)))
	add("no body", true, l.letter(body{}))
	add("more than there should be", true, l.letter(bodyOf(little, append(append([]any{}, l.args...), "more", uint64(1))...)))
	add("nested variants", true, l.letter(bodyOf(little, nested(l.args)...)))
	add("64 variants in each other", true, l.letter(body{"v", append(bytes.Repeat([]byte("\x01v\x00"), 63), "\x01y\x00\x07"...), 0}))
	// libdbus allows these, and other decoders do not.
	add("bytes in 64 variants", true, l.letter(body{"v", bytesInVariants(64), 0}))
	add("keys that are booleans", true, l.letter(bodyOfKeys("a{by}", []byte{1, 0, 0, 0, 7})))
	add("keys that are signatures", true, l.letter(bodyOfKeys("a{gy}", []byte{1, 'y', 0, 7})))
	add("keys that are numbers which are none", true, l.letter(bodyOfKeys("a{dy}", []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 7})))
	add("32 arrays in each other", true, l.letter(zeros(strings.Repeat("a", 32)+"y", 0)))
	swapped := l.letter(bodyOf(big, l.args...))
	swapped.order = big
	add("big-endian", true, swapped)
	if l.claims != "" {
		claim := l.letter(honest)
		claim.fields = map[dbus.HeaderField]any{dbus.FieldSender: l.claims}
		for field, value := range l.fields {
			claim.fields[field] = value
		}
		add("with the real one's sender", true, claim)
	}
	add("a descriptor's number without one", true, l.letter(bodyOf(little, dbus.UnixFDIndex(0))))
	withFD := bodyOf(little, dbus.UnixFDIndex(0))
	withFD.fds = 1
	add("a descriptor", true, l.letter(withFD))
	attached := honest
	attached.fds = 1
	add("a descriptor attached", true, l.letter(attached))
	attached.fds = manyFDs
	add("many descriptors attached", false, l.letter(attached))
	if l.kind == dbus.TypeSignal {
		add("1 MiB", false, l.letter(zeros("ay", 1<<20)))
		add("64 KiB of empty strings", false, l.letter(zeros("as", 64<<10-3)))
	}
	return all
}

// manyFDs is the most that the system bus accepts with one message
// (max_message_unix_fds, dbus-daemon(1)).
const manyFDs = 16

// zeros returns an array of size bytes, all of them zero: numbers, or empty strings
// of eight bytes each without the padding of the last.
func zeros(signature string, size int) body {
	b := make([]byte, 4+size)
	little.PutUint32(b, uint32(size))
	return body{signature, b, 0}
}

func bytesInVariants(depth int) []byte {
	b := append(bytes.Repeat([]byte("\x01v\x00"), depth-1), "\x02ay\x00"...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return append(b, 1, 0, 0, 0, 7)
}

// bodyOfKeys returns a dictionary with one entry.
func bodyOfKeys(signature string, entry []byte) body {
	b := make([]byte, 8)
	little.PutUint32(b, uint32(len(entry)))
	return body{signature, append(b, entry...), 0}
}

func otherTypes(args []any) []any {
	var others []any
	for _, arg := range args {
		switch value := arg.(type) {
		case map[string]dbus.Variant:
			other := map[string]dbus.Variant{}
			for key := range value {
				other[key] = dbus.MakeVariant([]string{"no", "number"})
			}
			others = append(others, other)
		case string:
			others = append(others, uint64(1)<<63)
		default:
			others = append(others, "no number")
		}
	}
	return others
}

func withoutKeys(args []any) []any {
	var others []any
	for i, arg := range args {
		if _, ok := arg.(map[string]dbus.Variant); ok {
			others = append(others, map[string]dbus.Variant{})
		} else if i < len(args)-1 {
			others = append(others, arg)
		} else if _, ok := arg.([]string); ok {
			// A victim that believes this reads everything again.
			others = append(others, []string{"Connectivity", "State", "LidClosed", "LidIsClosed", "ActiveState"})
		}
	}
	return others
}

func nested(args []any) []any {
	wrap := func(value any) dbus.Variant {
		for range 8 {
			value = dbus.MakeVariant(value)
		}
		return dbus.MakeVariant(value)
	}
	var others []any
	for _, arg := range args {
		if properties, ok := arg.(map[string]dbus.Variant); ok {
			wrapped := map[string]dbus.Variant{}
			for key, value := range properties {
				wrapped[key] = wrap(value)
			}
			others = append(others, wrapped)
			continue
		}
		others = append(others, wrap(arg))
	}
	return others
}
