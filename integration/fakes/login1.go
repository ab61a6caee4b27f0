// Package fakes holds stand-ins for system services that cannot run in a sandbox. What they say about
// themselves was recorded from the real services. [VPN] stands in for one that can, and says why.
package fakes

import (
	"context"
	"embed"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
)

// Generation is the systemd release whose logind a Login1 imitates.
type Generation string

const (
	// Logind262 also signals changes of NCurrentInhibitors.
	Logind262 Generation = "262"
	// Logind257 signals changes of LidClosed (systemd 256 and later, 255.3 and later).
	Logind257 Generation = "257"
	// Logind252 has LidClosed but never signals it.
	Logind252 Generation = "252"
)

const (
	login1Name    = "org.freedesktop.login1"
	login1Path    = dbus.ObjectPath("/org/freedesktop/login1")
	login1Manager = "org.freedesktop.login1.Manager"

	busName       = "org.freedesktop.DBus"
	busPath       = dbus.ObjectPath("/org/freedesktop/DBus")
	propertiesIfc = "org.freedesktop.DBus.Properties"
)

// recordings are the replies of real logind daemons to Introspect and, as busctl --json prints them, to
// GetAll of the Manager interface.
//
//go:embed login1-252.xml login1-252.json login1-257.xml login1-257.json login1-262.xml login1-262.json
var recordings embed.FS

// Login1 is a fake org.freedesktop.login1. It is safe for concurrent use.
type Login1 struct {
	address string
	xml     string
	// declared holds the methods of every interface, keyed "interface.method".
	declared map[string]bool
	emits    map[string]bool

	mu         sync.Mutex
	restarted  bool          // whether the next Appear is not the first
	looked     chan struct{} // closed once the buttons have been read
	properties map[string]dbus.Variant
	conn       *dbus.Conn
	inhibitors map[*os.File]Inhibitor
	refusal    dbus.Error // of locks; nameless while they are given
	refusals   int
	changed    chan struct{}
	sessions   sessions
	readings   int // of all properties of an object

	hanging bool
	held    []func()        // what to do when it continues
	garbled map[string]bool // properties that it reports wrongly
}

// NewLogin1 prepares a fake of the given generation for the bus at address (a D-Bus address). It is not on
// the bus until Appear.
func NewLogin1(address string, generation Generation) (*Login1, error) {
	introspection, err := recordings.ReadFile("login1-" + string(generation) + ".xml")
	if err != nil {
		return nil, fmt.Errorf("no recording of logind %q: %w", generation, err)
	}
	values, err := recordings.ReadFile("login1-" + string(generation) + ".json")
	if err != nil {
		return nil, fmt.Errorf("no recording of logind %q: %w", generation, err)
	}
	var node introspect.Node
	if err := xml.Unmarshal(introspection, &node); err != nil {
		return nil, fmt.Errorf("introspection of logind %s: %w", generation, err)
	}
	properties, err := parseProperties(values)
	if err != nil {
		return nil, fmt.Errorf("properties of logind %s: %w", generation, err)
	}
	l := &Login1{
		address:    address,
		xml:        string(introspection),
		declared:   map[string]bool{},
		emits:      map[string]bool{},
		properties: properties,
		inhibitors: map[*os.File]Inhibitor{},
		changed:    make(chan struct{}),
		garbled:    map[string]bool{},
	}
	for _, ifc := range node.Interfaces {
		for _, method := range ifc.Methods {
			l.declared[ifc.Name+"."+method.Name] = true
		}
		if ifc.Name == login1Manager {
			for _, property := range ifc.Properties {
				l.emits[property.Name] = emitsChange(property)
			}
		}
	}
	// The locks of the machine that was recorded are not ours.
	l.properties["DelayInhibited"] = dbus.MakeVariant("")
	l.properties["NCurrentInhibitors"] = dbus.MakeVariant(uint64(0))
	return l, nil
}

// emitsChange reads the annotation as the D-Bus specification defines it: without one, changes are
// signalled with their value.
func emitsChange(property introspect.Property) bool {
	for _, annotation := range property.Annotations {
		if annotation.Name == "org.freedesktop.DBus.Property.EmitsChangedSignal" {
			return annotation.Value == "true"
		}
	}
	return true
}

// Appear connects to the bus and owns the name. Calls are answered from the first one on.
func (l *Login1) Appear(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.present() {
		return nil
	}
	conn, err := dbus.Connect(l.address)
	if err != nil {
		return fmt.Errorf("login1: connect to %s: %w", l.address, err)
	}
	// One loop answers every message, so replies and signals keep their order.
	messages := make(chan *dbus.Message, 4096)
	owned := make(chan struct{})
	conn.Eavesdrop(messages)
	go l.serve(conn, messages, owned)

	const doNotQueue = uint32(dbus.NameFlagDoNotQueue)
	conn.Send(&dbus.Message{
		Type:  dbus.TypeMethodCall,
		Flags: dbus.FlagNoReplyExpected,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(busName),
			dbus.FieldPath:        dbus.MakeVariant(busPath),
			dbus.FieldInterface:   dbus.MakeVariant(busName),
			dbus.FieldMember:      dbus.MakeVariant("RequestName"),
			dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf("", doNotQueue)),
		},
		Body: []any{login1Name, doNotQueue},
	}, nil)
	select {
	case <-owned:
		l.conn = conn
		l.looked = make(chan struct{})
		if l.restarted {
			looked := l.looked
			time.AfterFunc(buttonsAfter, func() {
				l.signalButtons()
				close(looked)
			})
		} else {
			close(l.looked)
		}
		l.restarted = true
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("login1: own %s: %w", login1Name, ctx.Err()), conn.Close())
	}
}

// Vanish leaves the bus, as a stopped logind does. The properties are kept for the next
// Appear, except LockedHint: logind does not save it (session_save in systemd's
// src/login/logind-session.c, 252 and 257).
func (l *Login1) Vanish() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.present() {
		return nil
	}
	l.hanging, l.held = false, nil
	for _, one := range l.sessions.all {
		one.locked = false
	}
	// Close would close the channel that the connection still writes to.
	l.conn.Eavesdrop(nil)
	err := l.conn.Close()
	if err != nil {
		return fmt.Errorf("login1: leave the bus: %w", err)
	}
	return nil
}

// Readings returns how often somebody has read all properties of an object.
func (l *Login1) Readings() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.readings
}

// SetExternalPower plugs the machine in, or unplugs it. No logind signals that.
func (l *Login1) SetExternalPower(plugged bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.properties["OnExternalPower"] = dbus.MakeVariant(plugged)
}

// SetDocked puts the machine into a dock, or connects a second screen. No logind signals
// that.
func (l *Login1) SetDocked(docked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.properties["Docked"] = dbus.MakeVariant(docked)
}

// present reports whether the fake is on the bus. It is false again after the bus itself has gone.
// It is called with mu held.
func (l *Login1) present() bool {
	return l.conn != nil && l.conn.Connected()
}

// set stores a property and signals it if this generation does. While the service is away it only stores.
func (l *Login1) set(name string, value dbus.Variant) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.properties[name] = value
	if !l.present() || !l.emits[name] {
		return nil
	}
	return l.signal(map[string]dbus.Variant{name: value})
}

// signal sends PropertiesChanged. It is called with mu held.
func (l *Login1) signal(changed map[string]dbus.Variant) error {
	if l.hanging {
		l.held = append(l.held, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.present() {
				_ = l.signal(changed) // the bus may have gone
			}
		})
		return nil
	}
	err := l.conn.Emit(login1Path, propertiesIfc+".PropertiesChanged",
		login1Manager, changed, []string{})
	if err != nil {
		return fmt.Errorf("login1: signal %v: %w", changed, err)
	}
	return nil
}

// tell sends a signal to one client. The bus passes it on whatever the client listens for.
func (l *Login1) tell(client string, path dbus.ObjectPath, ifc, member string, body ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.present() {
		return ErrVanished
	}
	headers := map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: dbus.MakeVariant(client),
		dbus.FieldPath:        dbus.MakeVariant(path),
		dbus.FieldInterface:   dbus.MakeVariant(ifc),
		dbus.FieldMember:      dbus.MakeVariant(member),
	}
	if len(body) > 0 {
		headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	l.conn.Send(&dbus.Message{Type: dbus.TypeSignal, Headers: headers, Body: body}, nil)
	return nil
}
