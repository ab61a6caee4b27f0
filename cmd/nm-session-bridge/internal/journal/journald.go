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

// patience is how long a journald that is busy is waited for, once: what goes by
// the stream has no fields. It has room for 512 entries where systemd has
// started the machine, and for 10 as Linux has it (net.unix.max_dgram_qlen).
const patience = 100 * time.Millisecond

// journald is the way to it: the native socket, and the stream that is the
// program's stderr for what the socket does not take. Each entry is sent to the
// socket's path, so that journald may come, go and come back.
//
// go-systemd's journal package would do, but that its map of fields holds no
// field twice, and that it waits where journald does not read.
type journald struct {
	socket int // negative where there is none
	path   *unix.SockaddrUnix
	stream *os.File

	patience time.Duration
	hangs    atomic.Bool // it was waited for in vain, and has taken nothing since
}

func dial(path string, stream *os.File) *journald {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		socket = -1
	}
	return &journald{socket: socket, path: &unix.SockaddrUnix{Name: path}, stream: stream, patience: patience}
}

// write sends an entry, an error by the stream: it is the last that a process
// says, and journald looks up the unit of one that is gone only for what comes
// by a stream.
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

// writeLine writes the entry as a line that starts with its priority in the
// form <N>, as sd-daemon(3) has it. A file's own Write would wait where journald
// does not read, and end the program where it is gone.
func (j *journald) writeLine(e entry) error {
	line := fmt.Sprintf("<%d>%s\n", e.priority, strings.ReplaceAll(e.sentence(), "\n", " "))
	_, err := unix.SendmsgN(int(j.stream.Fd()), []byte(line), nil, nil, unix.MSG_DONTWAIT)
	return err
}
