package bustest

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"testing"
)

// Listen opens a bus in memory and returns its address. It calls accept for every
// client, and what accept returns for every message of that client, which is in
// the wire format, little-endian, and valid until the call returns. An error
// disconnects the client. To send something, the bus writes it to the connection.
func Listen(tb testing.TB, accept func(net.Conn) func(message []byte) error) (address string) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "bus")
	listener, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go serve(conn, accept(conn))
		}
	}()
	return "unix:path=" + path
}

func serve(conn net.Conn, take func([]byte) error) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	if !authenticate(conn, in) {
		return
	}
	for {
		fixed, err := in.Peek(FixedHeader)
		if err != nil {
			return
		}
		message, err := in.Peek(Size(fixed, binary.LittleEndian))
		if err != nil || take(message) != nil {
			return
		}
		if _, err := in.Discard(len(message)); err != nil {
			return
		}
	}
}

// authenticate plays the bus's part of the text that a connection begins with
// (https://dbus.freedesktop.org/doc/dbus-specification.html#auth-protocol).
func authenticate(conn io.Writer, in *bufio.Reader) bool {
	if _, err := in.Discard(1); err != nil {
		return false
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		answer := "OK 0123456789abcdef0123456789abcdef\r\n"
		switch line {
		case "BEGIN\r\n":
			return true
		case "AUTH\r\n":
			answer = "REJECTED EXTERNAL\r\n"
		case "NEGOTIATE_UNIX_FD\r\n":
			answer = "AGREE_UNIX_FD\r\n"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return false
		}
	}
}
