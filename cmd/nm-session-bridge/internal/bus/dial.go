// Package bus connects to a message bus in a way that a daemon can trust: it
// accepts no file descriptors, bounds the handshake and every write, and lets in
// only the signals of the present owners of followed services.
//
// Two parts of it do by hand what godbus does. The frame filter keeps out
// messages that any local user can send straight to a connection: godbus decodes
// messages of up to 128 MB and closes the connection over some that a bus
// delivers. The call for a file closes every other descriptor that arrives, up
// to 253 a message: godbus never closes those that nobody expected.
package bus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// handshakeTimeout bounds authentication and Hello together. A bus answers
	// in a millisecond; the rest is room for a machine that is booting.
	handshakeTimeout = 10 * time.Second
	// writeTimeout bounds how long one message takes to get into the socket. It
	// runs out only if the bus has stopped reading for good.
	writeTimeout = 5 * time.Second

	// endOfAuthentication is the last line of the text protocol at the start of a
	// connection; binary messages follow
	// (https://dbus.freedesktop.org/doc/dbus-specification.html#auth-command-begin).
	endOfAuthentication = "BEGIN\r\n"
)

// Conn is a private connection to a message bus.
type Conn struct {
	*dbus.Conn
	router *router
}

// Dial connects to the bus at a D-Bus address and says Hello. It fails when no
// socket of the address answers or the handshake takes longer than ten seconds.
func Dial(ctx context.Context, address string) (*Conn, error) {
	return dialFirst(address, func(name string) (*Conn, error) { return dialSocket(ctx, name) })
}

// dialFirst dials the sockets of an address until one answers. The error is that
// of the last.
func dialFirst[C any](address string, dial func(name string) (C, error)) (conn C, err error) {
	names, err := sockets(address)
	if err != nil {
		return conn, err
	}
	for _, name := range names {
		if conn, err = dial(name); err == nil {
			return conn, nil
		}
	}
	return conn, err
}

func dialSocket(ctx context.Context, name string) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	// This never waits: a socket without room refuses at once (connect(2), EAGAIN).
	raw, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// When the caller gives up, this ends the handshake, whatever it is waiting
	// for.
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	router := newRouter()
	// Unlike dbus.Dial, dbus.NewConn does not negotiate the passing of descriptors.
	var conn *dbus.Conn
	conn, err = dbus.NewConn(newStream(raw, router), dbus.WithSignalHandler(router),
		dbus.WithIncomingInterceptor(func(m *dbus.Message) { router.intercept(conn, m) }))
	if err != nil {
		raw.Close()
		return nil, err
	}
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))})
	if err == nil {
		err = conn.Hello()
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s: the bus did not complete the handshake: %w", name, err)
	}
	return &Conn{Conn: conn, router: router}, nil
}

// Lost is closed when the connection is gone; it does not come back.
func (c *Conn) Lost() <-chan struct{} {
	return c.Context().Done()
}

// stream passes on only the messages that are to be decoded. It closes the
// connection when a write fails, because nothing can follow half a message.
type stream struct {
	net.Conn
	in *frames
}

func newStream(raw net.Conn, router *router) *stream {
	return &stream{Conn: raw, in: &frames{in: bufio.NewReader(raw), believes: router.believes, hears: router.hears, answers: router.answers, serves: router.serves, dropped: router.lost}}
}

func (s *stream) Read(p []byte) (int, error) {
	return s.in.Read(p)
}

func (s *stream) Write(p []byte) (int, error) {
	if string(p) == endOfAuthentication {
		s.in.begun = true
	}
	err := s.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err != nil {
		return 0, err
	}
	n, err := s.Conn.Write(p)
	if err != nil {
		return n, errors.Join(err, s.Close())
	}
	return n, nil
}
