package forgery

import (
	"bytes"
	"errors"
	"net"
	"sync/atomic"

	"github.com/godbus/dbus/v5"
)

// Witness is a connection without fd passing, as a daemon's should be. What
// reaches it also reaches the daemon's connection.
type Witness struct {
	*Client
	// Reached counts the messages that came from other clients of the bus. Poison
	// counts those among them that make godbus close a connection.
	Reached, Poison atomic.Int64
}

// NewWitness greets the bus behind a socket as the user who opened it.
func NewWitness(socket net.Conn, uid int) (*Witness, error) {
	w := &Witness{}
	var err error
	w.Client, err = NewClient(socket, uid, false, w.judge)
	return w, err
}

func (w *Witness) judge(frame []byte) {
	// Larger ones take godbus seconds, and the bus itself sends none.
	const most = 64 << 10
	if len(frame) > most {
		w.Reached.Add(1)
		return
	}
	message, err := dbus.DecodeMessage(bytes.NewReader(frame))
	var ignored dbus.InvalidMessageError
	switch {
	case err == nil && message.Headers[dbus.FieldSender].Value() == daemonName:
		return
	case err != nil && !errors.As(err, &ignored):
		w.Poison.Add(1)
	}
	w.Reached.Add(1)
}
