package journal

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// socketPath is where journald takes entries in its native protocol
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
const socketPath = "/run/systemd/journal/socket"

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
}

func dial(path string, stream *os.File) *journald {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		socket = -1
	}
	return &journald{socket, &unix.SockaddrUnix{Name: path}, stream}
}

// write sends an entry, an error by the stream: it is the last that a process
// says, and journald looks up the unit of one that is gone only for what comes
// by a stream.
func (j *journald) write(e entry) error {
	if j.socket >= 0 && e.priority > errorPriority && unix.Sendto(j.socket, e.fields(), unix.MSG_DONTWAIT, j.path) == nil {
		return nil
	}
	return j.writeLine(e)
}

// writeLine writes the entry as a line that starts with its priority in the
// form <N>, as sd-daemon(3) has it. A file's own Write would wait where journald
// does not read, and end the program where it is gone.
func (j *journald) writeLine(e entry) error {
	line := fmt.Sprintf("<%d>%s\n", e.priority, strings.ReplaceAll(e.sentence(), "\n", " "))
	_, err := unix.SendmsgN(int(j.stream.Fd()), []byte(line), nil, nil, unix.MSG_DONTWAIT)
	return err
}
