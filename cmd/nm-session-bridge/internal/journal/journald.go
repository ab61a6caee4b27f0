package journal

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// socketPath is where journald takes entries in its native protocol
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
const socketPath = "/run/systemd/journal/socket"

// patience is how long write waits for a busy journald before it uses the stream, where an
// entry loses its fields. It waits only once while journald hangs. journald's socket holds
// 512 entries if systemd has started the machine, and 10 by Linux's default
// (net.unix.max_dgram_qlen).
const patience = 100 * time.Millisecond

// journald sends entries to journald's native socket. If the socket does not take an
// entry, it goes to the stream that is the program's stderr. journald sends each entry to
// the socket's path, so the daemon may start and stop at any time.
//
// go-systemd's journal.Send cannot replace it: its map cannot hold a field twice, and it
// blocks while the daemon does not read.
type journald struct {
	socket int // negative if there is none
	path   *unix.SockaddrUnix
	stream *os.File

	patience time.Duration
	hangs    atomic.Bool // a wait timed out, and journald has taken nothing since
}

func dial(path string, stream *os.File) *journald {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		socket = -1
	}
	return &journald{socket: socket, path: &unix.SockaddrUnix{Name: path}, stream: stream, patience: patience}
}

// write sends an entry. An error goes through the stream because it may be the process's
// last message: only the stream tells journald the unit of a process that is gone.
func (j *journald) write(e entry) error {
	if e.priority > errorPriority && j.send(e.fields()) == nil {
		return nil
	}
	return j.writeLine(e)
}

func (j *journald) send(fields []byte) error {
	err := unix.Sendto(j.socket, fields, unix.MSG_DONTWAIT, j.path)
	for waited, pause := time.Duration(0), time.Millisecond; err == unix.EAGAIN && waited < j.patience && !j.hangs.Load(); pause *= 2 {
		time.Sleep(pause) // poll(2) does not know whether the other side of an unconnected socket has room
		waited += pause
		err = unix.Sendto(j.socket, fields, unix.MSG_DONTWAIT, j.path)
	}
	j.hangs.Store(err == unix.EAGAIN)
	return err
}

// writeLine writes the entry as a line with its priority in front, in the form <N>
// (sd-daemon(3)). os.File.Write would block while journald does not read, and end the
// program if journald is gone.
func (j *journald) writeLine(e entry) error {
	line := fmt.Sprintf("<%d>%s\n", e.priority, strings.ReplaceAll(e.sentence(), "\n", " "))
	_, err := unix.SendmsgN(int(j.stream.Fd()), []byte(line), nil, nil, unix.MSG_DONTWAIT)
	return err
}
