package bus

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/godbus/dbus/v5"
)

const (
	helloSerial = 1 + iota
	ownerSerial
	callSerial
)

const (
	// mostDescriptors is how many descriptors a message may bring (SCM_MAX_FD,
	// unix(7)).
	mostDescriptors = 253
	// longestFields exceeds largestFields because a message whose descriptors
	// cannot be counted ends the connection.
	longestFields = 1 << 20
)

// CallForFile calls a method of the present owner of a name, over a separate
// connection, and returns the file in the answer. An error that the method
// returns is a [dbus.Error].
//
// Anybody may send descriptors to a connection that accepts them, and godbus
// keeps them all. CallForFile closes every descriptor but the requested one,
// and decodes nothing that others send.
func CallForFile(ctx context.Context, address, name string, path dbus.ObjectPath, iface, method string, args ...any) (*os.File, error) {
	c, err := dialFirst(address, func(name string) (*fileCaller, error) { return dialForFile(ctx, name) })
	var file *os.File
	if err == nil {
		defer c.close()
		file, err = c.call(name, path, iface, method, args)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return file, err
}

// dialForFile connects to the bus at a socket until the context ends.
func dialForFile(ctx context.Context, name string) (*fileCaller, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, err
	}
	c := &fileCaller{conn: conn, stop: context.AfterFunc(ctx, func() { conn.Close() })}
	c.in = bufio.NewReader(c)
	if err := c.authenticate(); err != nil {
		c.close()
		return nil, fmt.Errorf("%s: the bus did not complete the handshake: %w", name, err)
	}
	return c, nil
}

// fileCaller is a connection that accepts descriptors.
type fileCaller struct {
	conn        *net.UnixConn
	stop        func() bool // ends what closes the connection once the context ends
	in          *bufio.Reader
	descriptors []int // received with messages that have not been read yet
}

func (c *fileCaller) call(name string, path dbus.ObjectPath, iface, method string, args []any) (*os.File, error) {
	const busPath = dbus.ObjectPath("/org/freedesktop/DBus")
	if err := errors.Join(
		c.send(helloSerial, daemonName, busPath, daemonName, "Hello"),
		c.send(ownerSerial, daemonName, busPath, daemonName, "GetNameOwner", name),
	); err != nil {
		return nil, err
	}
	m, _, err := c.answer(ownerSerial, daemonName)
	if err != nil {
		return nil, err
	}
	if len(m.Body) != 1 {
		return nil, fmt.Errorf("the bus named no owner of %s", name)
	}
	owner, ok := m.Body[0].(string)
	if !ok {
		return nil, fmt.Errorf("the bus named no owner of %s", name)
	}
	if err := c.send(callSerial, owner, path, iface, method, args...); err != nil {
		return nil, err
	}
	m, file, err := c.answer(callSerial, owner)
	if err == nil && file == nil {
		err = fmt.Errorf("%s answered %v in place of a file", name, m.Body)
	}
	return file, err
}

// authenticate tells the bus who we are and that the connection accepts
// descriptors.
func (c *fileCaller) authenticate() error {
	uid := hex.EncodeToString([]byte(strconv.Itoa(os.Geteuid())))
	if _, err := io.WriteString(c.conn, "\x00AUTH EXTERNAL "+uid+"\r\nNEGOTIATE_UNIX_FD\r\n"+endOfAuthentication); err != nil {
		return err
	}
	for _, want := range []string{"OK ", "AGREE_UNIX_FD"} {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(string(line), want) {
			return fmt.Errorf("it said %q", line)
		}
	}
	return nil
}

// send sends a method call that never activates a service.
func (c *fileCaller) send(serial uint32, destination string, path dbus.ObjectPath, iface, method string, args ...any) error {
	m := &dbus.Message{Type: dbus.TypeMethodCall, Flags: dbus.FlagNoAutoStart, Body: args, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: dbus.MakeVariant(destination),
		dbus.FieldPath:        dbus.MakeVariant(path),
		dbus.FieldInterface:   dbus.MakeVariant(iface),
		dbus.FieldMember:      dbus.MakeVariant(method),
	}}
	if len(args) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(args...))
	}
	var raw bytes.Buffer
	if err := m.EncodeTo(&raw, binary.LittleEndian); err != nil {
		return err
	}
	// godbus sets serials only in its own connections.
	const serialAt = 8
	binary.LittleEndian.PutUint32(raw.Bytes()[serialAt:], serial)
	_, err := c.conn.Write(raw.Bytes())
	return err
}

// answer waits for the answer to a call, which comes from the called service or
// from the bus in its place. It returns the answer and the file that came with
// it, if any.
func (c *fileCaller) answer(serial uint32, from string) (*dbus.Message, *os.File, error) {
	for {
		h, err := readHeader(c.in, longestFields, nil)
		if err != nil {
			return nil, nil, err
		}
		isReply := h.kind == dbus.TypeMethodReply && h.fields.sender == from
		isError := h.kind == dbus.TypeError && (h.fields.sender == from || h.fields.sender == daemonName)
		if !h.legible || !isReply && !isError || h.fields.replySerial != serial || h.body > largestReply {
			if err := errors.Join(skip(c.in, h.body), c.take(h, nil)); err != nil {
				return nil, nil, err
			}
			continue
		}
		raw := slices.Grow(h.raw, int(h.body))[:len(h.raw)+int(h.body)]
		if _, err := io.ReadFull(c.in, raw[len(h.raw):]); err != nil {
			return nil, nil, err
		}
		var file *os.File
		if err := c.take(h, &file); err != nil {
			return nil, nil, err
		}
		m, err := dbus.DecodeMessage(bytes.NewReader(raw))
		if err == nil && isError {
			name, _ := m.Headers[dbus.FieldErrorName].Value().(string)
			err = dbus.Error{Name: name, Body: m.Body}
		}
		if err != nil && file != nil {
			err = errors.Join(err, file.Close())
			file = nil
		}
		return m, file, err
	}
}

// take takes the descriptors of a message out of those received. It opens the
// first as a file if the caller wants one, and closes the others.
func (c *fileCaller) take(h header, file **os.File) error {
	count := int(h.fields.unixFDs)
	if !h.legible || count > len(c.descriptors) {
		return errors.New("the bus sent descriptors that it does not account for")
	}
	for i, fd := range c.descriptors[:count] {
		if i == 0 && file != nil {
			*file = os.NewFile(uintptr(fd), "file from the bus")
			continue
		}
		_ = syscall.Close(fd)
	}
	c.descriptors = c.descriptors[count:]
	return nil
}

func (c *fileCaller) close() {
	c.stop()
	c.conn.Close()
	for _, fd := range c.descriptors {
		_ = syscall.Close(fd)
	}
}

// Read implements [io.Reader], and keeps the descriptors that arrive with the
// bytes.
func (c *fileCaller) Read(p []byte) (int, error) {
	control := make([]byte, syscall.CmsgSpace(4*mostDescriptors))
	n, controlled, flags, _, err := c.conn.ReadMsgUnix(p, control)
	if err != nil {
		return 0, err // n is -1 then
	}
	messages, err := syscall.ParseSocketControlMessage(control[:controlled])
	if err != nil {
		return n, err
	}
	for _, m := range messages {
		received, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue // something other than descriptors
		}
		c.descriptors = append(c.descriptors, received...)
	}
	switch {
	case flags&syscall.MSG_CTRUNC != 0:
		return n, errors.New("there is no room for more descriptors")
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}
