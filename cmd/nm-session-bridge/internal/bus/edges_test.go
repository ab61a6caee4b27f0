package bus

import (
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// locks is a filter that wants the signals of one object, and keeps its Locks.
type locks struct{}

func (locks) Hears(string, dbus.ObjectPath) bool { return true }

func (locks) Wants(signal *dbus.Signal) bool { return signal.Path == path }

func (locks) Edge(signal *dbus.Signal) string {
	member := strings.TrimPrefix(signal.Name, iface+".")
	if member == "Lock" || member == "Unlock" {
		return "the lock"
	}
	return ""
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
