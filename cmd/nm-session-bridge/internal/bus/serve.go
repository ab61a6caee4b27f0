package bus

import (
	"errors"

	"github.com/godbus/dbus/v5"
)

// waitingCalls is how many calls may wait to be answered. Callers that wait for each
// answer do not fill the room, and each call takes at most [largestSignal].
const waitingCalls = 1024

// Call is a method call that somebody has made.
type Call struct {
	Path dbus.ObjectPath
	// Interface is empty if the caller has named none.
	Interface, Method string
	Args              []any
}

// Serve answers calls, one after the other and in the order in which they came,
// until the connection is gone. An error of type [dbus.Error] is sent as it is.
func (c *Conn) Serve(answer func(Call) ([]any, error)) {
	c.router.mu.Lock()
	c.router.isServed = true
	c.router.mu.Unlock()
	go func() {
		for {
			select {
			case <-c.Lost():
				return
			case m := <-c.router.calls:
				results, err := answer(callOf(m))
				respond(c.Conn, m, results, err)
			}
		}
	}()
}

// intercept handles a call before godbus does. godbus would answer it on a new
// goroutine, and calls and answers would lose their order.
func (r *router) intercept(conn *dbus.Conn, m *dbus.Message) {
	if m.Type != dbus.TypeMethodCall {
		return
	}
	call := *m
	m.Type = 0 // godbus passes over it
	select {
	case r.calls <- &call:
	default:
		respond(conn, &call, nil, dbus.NewError(daemonName+".Error.LimitsExceeded", []any{"too many calls wait to be answered"}))
	}
}

func callOf(m *dbus.Message) Call {
	call := Call{Args: m.Body}
	call.Path, _ = m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	call.Interface, _ = m.Headers[dbus.FieldInterface].Value().(string)
	call.Method, _ = m.Headers[dbus.FieldMember].Value().(string)
	return call
}

// respond sends the answer to a call, if the caller waits for one. It ignores errors
// of the connection, whose loss is noticed elsewhere.
func respond(conn *dbus.Conn, call *dbus.Message, results []any, err error) {
	if call.Flags&dbus.FlagNoReplyExpected != 0 {
		return
	}
	answer := &dbus.Message{Type: dbus.TypeMethodReply, Body: results, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: call.Headers[dbus.FieldSender],
		dbus.FieldReplySerial: dbus.MakeVariant(call.Serial()),
	}}
	if err != nil {
		refusal := refusalOf(err)
		answer.Type, answer.Body = dbus.TypeError, refusal.Body
		answer.Headers[dbus.FieldErrorName] = dbus.MakeVariant(refusal.Name)
	}
	if len(answer.Body) > 0 {
		answer.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(answer.Body...))
	}
	conn.Send(answer, nil)
}

func refusalOf(err error) *dbus.Error {
	var refusal *dbus.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return dbus.MakeFailedError(err)
}
