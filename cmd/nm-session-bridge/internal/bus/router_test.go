package bus

import (
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
	"github.com/nm-session-bridge/nm-session-bridge/integration/variations"
)

// FuzzSignal delivers any signal of any sender while a service is owned. Only the
// owner's signals come through, and the bus daemon's about the owner, whose form
// the receivers trust.
func FuzzSignal(target *testing.F) {
	f := variations.Of(target)
	const owner = ":1.7"
	add := func(sender, iface, member string, values ...any) {
		signature, body := bustest.Body(values...)
		f.Add(sender, string(path), iface, member, signature, body)
	}
	for _, sender := range []string{owner, ":1.8", "", daemonName, name} {
		add(sender, daemonName, "NameOwnerChanged", name, owner, ":1.9")
		add(sender, daemonName, "NameOwnerChanged", name, owner, "")
		add(sender, daemonName, "NameOwnerChanged", "org.example.Other", owner, ":1.9")
		add(sender, daemonName, "NameOwnerChanged", name, owner, uint32(9))
		add(sender, daemonName, "NameOwnerChanged", name, owner)
		add(sender, iface, "Changed", "anything")
	}
	f.Fuzz(func(t *testing.T, sender, path, iface, member, signature string, body []byte) {
		headers := bustest.Headers{
			dbus.FieldPath: dbus.ObjectPath(path), dbus.FieldInterface: iface, dbus.FieldMember: member,
		}
		if sender != "" {
			headers[dbus.FieldSender] = sender
		}
		message := bustest.Receive(dbus.TypeSignal, headers, signature, body)
		if message == nil {
			return
		}
		signal := &dbus.Signal{Sender: sender, Path: dbus.ObjectPath(path), Name: iface + "." + member, Body: message.Body}
		service := newService(nil, name, Everything{})
		service.owner, service.announced = owner, true
		r := newRouter()
		r.add(service)
		r.DeliverSignal(iface, member, signal)

		newOwner, changed := ownerOf(signal)
		wantsOwner := owner
		if changed && sender == daemonName {
			wantsOwner = newOwner
		}
		if service.owner != wantsOwner {
			t.Errorf("the owner is %q, not %q", service.owner, wantsOwner)
		}
		if r.believes(sender) != (sender == daemonName || wantsOwner != "" && sender == wantsOwner) {
			t.Errorf("%q is believed: %t", sender, r.believes(sender))
		}
		wantsThrough := sender == owner && signal.Name != nameOwnerChanged || changed && sender == daemonName
		through := len(service.signals) == 1 && <-service.signals == signal
		if through != wantsThrough || len(service.signals) > 0 {
			t.Errorf("%+v came through: %t", signal, through)
		}
	})
}

// ownerOf returns the new owner of the service that a signal names.
func ownerOf(signal *dbus.Signal) (owner string, tells bool) {
	if signal.Name != nameOwnerChanged || len(signal.Body) != 3 || signal.Body[0] != name {
		return "", false
	}
	owner, tells = signal.Body[2].(string)
	return owner, tells
}

// deaf is a filter that hears of one object alone.
type deaf struct {
	Everything
	of dbus.ObjectPath
}

func (d deaf) Hears(_ string, of dbus.ObjectPath) bool { return of == d.of }

func TestASignalIsDecodedIfAnyServiceOfItsSenderHearsOfTheObject(t *testing.T) {
	const owner = ":1.7"
	r := newRouter()
	for _, of := range []dbus.ObjectPath{"/one", "/two"} {
		s := newService(nil, name, deaf{of: of})
		s.setOwner(owner)
		r.add(s)
	}
	for _, test := range []struct {
		sender  string
		of      dbus.ObjectPath
		isHeard bool
	}{
		{owner, "/one", true},
		{owner, "/two", true},
		{owner, "/of/others", false},
		{":1.8", "/one", false},
		{daemonName, "/of/others", true},
	} {
		if got := r.hears(test.sender, test.of); got != test.isHeard {
			t.Errorf("%s is heard of %s: %t", test.sender, test.of, got)
		}
	}
	if !r.believes(owner) {
		t.Error("its answers are not decoded")
	}
}
