package forgery

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

// patience bounds a wait for a bus that hangs. It does not measure speed.
const patience = time.Minute

// Client is a connection to a bus. It sends frames as they are, reads
// everything that arrives, and keeps only answers.
type Client struct {
	// Name is the unique name that the bus gave.
	Name string

	// Refusals counts the errors in answer to frames that were given no serial
	// number.
	Refusals atomic.Int64

	conn     *net.UnixConn
	received []func(frame []byte)
	null     int

	mu      sync.Mutex
	serial  uint32
	answers map[uint32]*dbus.Message
	news    chan struct{} // closed at the next answer and at the end
	ended   error
}

// NewClient greets the bus behind a socket as the user who opened it, with or
// without fd passing. It passes each frame that arrives to the receivers.
func NewClient(socket net.Conn, uid int, fds bool, received ...func(frame []byte)) (*Client, error) {
	conn, ok := socket.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("%T is not a Unix socket", socket)
	}
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("open "+os.DevNull, err), conn.Close())
	}
	c := &Client{conn: conn, received: received, null: null, serial: anonymous, answers: map[uint32]*dbus.Message{}, news: make(chan struct{})}
	in := bufio.NewReaderSize(conn, 1<<16)
	if err := c.authenticate(in, uid, fds); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	go c.read(in)
	hello, err := c.Call("Hello")
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.Name, _ = hello.Body[0].(string)
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error {
	return errors.Join(c.conn.Close(), unix.Close(c.null))
}

func (c *Client) authenticate(in *bufio.Reader, uid int, fds bool) error {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	identity := hex.EncodeToString([]byte(strconv.Itoa(uid)))
	steps := []struct{ say, hear string }{{"\x00AUTH EXTERNAL " + identity, "OK "}}
	if fds {
		steps = append(steps, struct{ say, hear string }{"NEGOTIATE_UNIX_FD", "AGREE_UNIX_FD"})
	}
	for _, step := range steps {
		if _, err := io.WriteString(c.conn, step.say+"\r\n"); err != nil {
			return fmt.Errorf("cannot authenticate: %w", err)
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("cannot authenticate: %w", err)
		}
		if len(line) < len(step.hear) || line[:len(step.hear)] != step.hear {
			return fmt.Errorf("authenticate: the bus says %q", line)
		}
	}
	if _, err := io.WriteString(c.conn, "BEGIN\r\n"); err != nil {
		return fmt.Errorf("cannot authenticate: %w", err)
	}
	return c.conn.SetReadDeadline(time.Time{})
}

// read reads everything that the bus sends until the connection ends.
func (c *Client) read(in *bufio.Reader) {
	for {
		frame, err := readFrame(in)
		if err != nil {
			c.mu.Lock()
			c.ended = err
			close(c.news)
			c.mu.Unlock()
			return
		}
		for _, receive := range c.received {
			receive(frame)
		}
		if kind := dbus.Type(frame[bustest.PlaceOfType]); kind == dbus.TypeMethodReply || kind == dbus.TypeError {
			c.answer(frame)
		}
	}
}

func readFrame(in *bufio.Reader) ([]byte, error) {
	fixed, err := in.Peek(bustest.FixedHeader)
	if err != nil {
		return nil, err
	}
	frame := make([]byte, bustest.Size(fixed, orderOf(fixed)))
	_, err = io.ReadFull(in, frame)
	return frame, err
}

func (c *Client) answer(frame []byte) {
	message, err := dbus.DecodeMessage(bytes.NewReader(frame))
	if err != nil {
		return // a forgery's
	}
	serial, _ := message.Headers[dbus.FieldReplySerial].Value().(uint32)
	c.mu.Lock()
	defer c.mu.Unlock()
	if serial == anonymous {
		c.Refusals.Add(1)
		return
	}
	c.answers[serial] = message
	close(c.news)
	c.news = make(chan struct{})
}

// Send writes a frame, or several in one piece, with a deadline. The file
// descriptors are of /dev/null.
func (c *Client) Send(frame Frame) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	rest := frame.Bytes
	if frame.FDs > 0 {
		fds := make([]int, frame.FDs)
		for i := range fds {
			fds[i] = c.null
		}
		n, _, err := c.conn.WriteMsgUnix(rest, unix.UnixRights(fds...), nil)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	_, err := c.conn.Write(rest)
	return err
}

// Outcome is what a bus did with a frame.
type Outcome string

const (
	// Taken frames got no answer.
	Taken Outcome = "taken"
	// Refused frames got an error.
	Refused Outcome = "refused"
	// Disconnected frames made the bus disconnect the sender.
	Disconnected Outcome = "disconnected"
)

// Try sends a frame and waits until the bus has handled it. The text is that of
// the refusal.
func (c *Client) Try(frame Frame) (Outcome, string) {
	own := c.nextSerial()
	if err := c.Send(frame.withSerial(own)); err != nil {
		return Disconnected, err.Error()
	}
	if _, err := c.Call("GetId"); err != nil {
		return Disconnected, err.Error()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if refusal, ok := c.answers[own]; ok {
		delete(c.answers, own)
		return Refused, dbus.Error{Name: fmt.Sprint(refusal.Headers[dbus.FieldErrorName].Value()), Body: refusal.Body}.Error()
	}
	return Taken, ""
}

func (c *Client) nextSerial() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	return c.serial
}

// Call calls a method of the bus itself and waits for the answer.
func (c *Client) Call(method string, args ...any) (*dbus.Message, error) {
	serial := c.nextSerial()
	call := letter{kind: dbus.TypeMethodCall, order: little, body: bodyOf(little, args...), fields: map[dbus.HeaderField]any{
		dbus.FieldDestination: daemonName,
		dbus.FieldPath:        dbus.ObjectPath("/org/freedesktop/DBus"),
		dbus.FieldInterface:   daemonName,
		dbus.FieldMember:      method,
	}}
	if err := c.Send(call.frame().withSerial(serial)); err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		answer, ended, news := c.answers[serial], c.ended, c.news
		delete(c.answers, serial)
		c.mu.Unlock()
		switch {
		case answer != nil && answer.Type == dbus.TypeError:
			return nil, fmt.Errorf("%s: %w", method, dbus.Error{Name: fmt.Sprint(answer.Headers[dbus.FieldErrorName].Value()), Body: answer.Body})
		case answer != nil:
			return answer, nil
		case ended != nil:
			return nil, fmt.Errorf("%s: the bus has closed the connection: %w", method, ended)
		}
		select {
		case <-news:
		case <-deadline:
			return nil, fmt.Errorf("%s: no answer in %v", method, patience)
		}
	}
}

// ConnectionsOf returns the unique names of a process, which any user can find
// out.
func (c *Client) ConnectionsOf(pid uint32) ([]string, error) {
	list, err := c.Call("ListNames")
	if err != nil {
		return nil, err
	}
	names, _ := list.Body[0].([]string)
	var found []string
	for _, name := range names {
		if name[0] != ':' {
			continue
		}
		answer, err := c.Call("GetConnectionUnixProcessID", name)
		if err == nil && answer.Body[0] == pid { // others may be gone by now
			found = append(found, name)
		}
	}
	return found, nil
}

// Owner returns the unique name of the owner of a well-known name.
func (c *Client) Owner(name string) (string, error) {
	answer, err := c.Call("GetNameOwner", name)
	if err != nil {
		return "", err
	}
	owner, _ := answer.Body[0].(string)
	return owner, nil
}
