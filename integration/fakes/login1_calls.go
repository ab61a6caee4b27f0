package fakes

import (
	"fmt"

	"github.com/godbus/dbus/v5"
)

// serve answers calls until the connection ends, and closes owned when the bus has given us the name.
func (l *Login1) serve(conn *dbus.Conn, messages <-chan *dbus.Message, owned chan<- struct{}) {
	for {
		select {
		case <-conn.Context().Done():
			return
		case msg, open := <-messages:
			if !open {
				return
			}
			member, _ := msg.Headers[dbus.FieldMember].Value().(string)
			switch {
			case msg.Type == dbus.TypeMethodCall && !l.holds(func() { l.answer(conn, msg, member) }):
				l.answer(conn, msg, member)
			case member == "NameAcquired" && len(msg.Body) == 1 && msg.Body[0] == login1Name:
				close(owned)
			}
		}
	}
}

func (l *Login1) answer(conn *dbus.Conn, msg *dbus.Message, member string) {
	ifc, _ := msg.Headers[dbus.FieldInterface].Value().(string)
	path, _ := msg.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	sender, _ := msg.Headers[dbus.FieldSender].Value().(string)
	method := ifc + "." + member
	switch {
	case method == propertiesIfc+".GetAll" && path != login1Path:
		l.getAllOf(conn, msg, path)
	case method == login1Session+".SetLockedHint":
		l.takeHint(conn, msg, path)
	case path != login1Path:
		fail(conn, msg, "org.freedesktop.DBus.Error.UnknownObject", "Unknown object '"+string(path)+"'.")
	case method == "org.freedesktop.DBus.Peer.Ping":
		reply(conn, msg)
	case method == "org.freedesktop.DBus.Introspectable.Introspect":
		reply(conn, msg, l.xml)
	case method == propertiesIfc+".Get":
		l.get(conn, msg)
	case method == propertiesIfc+".GetAll":
		l.getAll(conn, msg)
	case method == login1Manager+".UnlockSession":
		l.unlockSession(conn, msg)
	case method == login1Manager+".Inhibit":
		l.inhibit(conn, msg, sender)
	case method == login1Manager+".GetSession" || method == login1Manager+".GetSessionByPID":
		reply(conn, msg, l.Session()) // all clients belong to one user
	case l.declared[method]:
		fail(conn, msg, "org.freedesktop.DBus.Error.NotSupported", method+" is not part of this fake.")
	default:
		fail(conn, msg, "org.freedesktop.DBus.Error.UnknownMethod",
			fmt.Sprintf("Unknown method %s or interface %s.", member, ifc))
	}
}

func (l *Login1) get(conn *dbus.Conn, msg *dbus.Message) {
	var ifc, name string
	if err := dbus.Store(msg.Body, &ifc, &name); err != nil {
		fail(conn, msg, "org.freedesktop.DBus.Error.InvalidArgs", err.Error())
		return
	}
	l.mu.Lock() // what is signalled later comes after the answer
	defer l.mu.Unlock()
	value, ok := l.told(name)
	if ifc != login1Manager || !ok {
		fail(conn, msg, "org.freedesktop.DBus.Error.UnknownProperty", "Unknown interface "+ifc+" or property "+name+".")
		return
	}
	reply(conn, msg, value)
}

// told returns a property as callers see it. It is called with mu held.
func (l *Login1) told(name string) (value dbus.Variant, known bool) {
	value, known = l.properties[name]
	if known && l.garbled[name] {
		return dbus.MakeVariant("ajar"), true
	}
	return value, known
}

func (l *Login1) getAll(conn *dbus.Conn, msg *dbus.Message) {
	var ifc string
	if err := dbus.Store(msg.Body, &ifc); err != nil {
		fail(conn, msg, "org.freedesktop.DBus.Error.InvalidArgs", err.Error())
		return
	}
	all := map[string]dbus.Variant{}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readings++
	if ifc == login1Manager {
		for name := range l.properties {
			all[name], _ = l.told(name)
		}
	}
	reply(conn, msg, all)
}

// getAllOf answers for a user or a session.
func (l *Login1) getAllOf(conn *dbus.Conn, msg *dbus.Message, path dbus.ObjectPath) {
	var ifc string
	if err := dbus.Store(msg.Body, &ifc); err != nil {
		fail(conn, msg, "org.freedesktop.DBus.Error.InvalidArgs", err.Error())
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readings++
	all, found := l.sessions.properties(path, ifc)
	if !found {
		fail(conn, msg, "org.freedesktop.DBus.Error.UnknownObject", "Unknown object '"+string(path)+"'.")
		return
	}
	reply(conn, msg, all)
}

func reply(conn *dbus.Conn, call *dbus.Message, body ...any) {
	send(conn, call, &dbus.Message{Type: dbus.TypeMethodReply, Body: body})
}

func fail(conn *dbus.Conn, call *dbus.Message, name, text string) {
	send(conn, call, &dbus.Message{
		Type:    dbus.TypeError,
		Headers: map[dbus.HeaderField]dbus.Variant{dbus.FieldErrorName: dbus.MakeVariant(name)},
		Body:    []any{text},
	})
}

// send writes an answer. It ignores errors, because a client that is gone needs no answer.
func send(conn *dbus.Conn, call, answer *dbus.Message) {
	if call.Flags&dbus.FlagNoReplyExpected != 0 {
		return
	}
	if answer.Headers == nil {
		answer.Headers = map[dbus.HeaderField]dbus.Variant{}
	}
	answer.Headers[dbus.FieldDestination] = call.Headers[dbus.FieldSender]
	answer.Headers[dbus.FieldReplySerial] = dbus.MakeVariant(call.Serial())
	if len(answer.Body) > 0 {
		answer.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(answer.Body...))
	}
	conn.Send(answer, nil)
}
