package bus

import (
	"fmt"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// locks is a filter that wants the signals of one object, and keeps its Locks.
type locks struct{}

func (locks) Wants(signal *dbus.Signal) bool { return signal.Path == path }

func (locks) Edge(signal *dbus.Signal) string {
	member := strings.TrimPrefix(signal.Name, iface+".")
	if member == "Lock" || member == "Unlock" {
		return "the lock"
	}
	return ""
}

// Nobody wants to hear of another user's session, however often they lock it.
func TestAnIgnoredObjectIsNotHeardOfUntilTheOwnerChanges(t *testing.T) {
	s := newService(nil, name, Everything{})
	s.setOwner(":1.1")
	isHeard := func(path dbus.ObjectPath) bool {
		before := len(s.signals)
		s.deliver(&dbus.Signal{Sender: s.owner, Path: path, Name: iface + ".Lock"})
		return len(s.signals) > before
	}
	s.Ignore(":1.0", "/of/others") // who owned the name before
	if !isHeard("/of/others") {
		t.Error("an object of the present owner is ignored")
	}
	s.Ignore(":1.1", "/of/others")
	if isHeard("/of/others") || !isHeard(path) {
		t.Error("the wrong object is ignored")
	}
	s.setOwner(":1.2")
	if !isHeard("/of/others") {
		t.Error("an object of the next owner is ignored")
	}
	for range 2 * mostIgnored {
		s.Ignore(":1.2", dbus.ObjectPath(fmt.Sprint("/", len(s.ignored))))
	}
	if len(s.ignored) != mostIgnored {
		t.Errorf("%d objects are remembered", len(s.ignored))
	}
}

func TestWhatCannotBeReadAgainIsNotLostInAFlood(t *testing.T) {
	s := newService(nil, name, locks{})
	s.owner, s.announced = ":1.1", true
	say := func(path dbus.ObjectPath, member string, sequence dbus.Sequence) {
		s.deliver(&dbus.Signal{Sender: ":1.1", Path: path, Name: iface + "." + member, Sequence: sequence})
	}
	for range 10 * backlog {
		say("/of/others", "Lock", 1)
	}
	if n := len(s.signals); n > 0 {
		t.Fatalf("%d signals about others are queued", n)
	}
	say(path, "Lock", 2)
	for i := range 3 * backlog {
		say(path, "Changed", 3)
		if i == backlog/2 || i == 2*backlog {
			say(path, "Unlock", dbus.Sequence(4+i))
		}
	}
	var kept []*dbus.Signal
	isLost := false
	for len(s.signals) > 0 {
		signal := <-s.signals
		isLost = isLost || signal.Name == nameOwnerChanged && signal.Body[2] == ":1.1"
		if (locks{}).Edge(signal) != "" {
			kept = append(kept, signal)
		}
	}
	if !isLost || len(kept) != 1 || kept[0].Name != iface+".Unlock" || kept[0].Sequence != 4+2*backlog {
		t.Errorf("signals are said to be lost: %t; kept are %v", isLost, kept)
	}
}
