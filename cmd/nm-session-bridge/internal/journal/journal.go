// Package journal writes the log in the form that its reader wants: entries
// with fields where journald reads, lines with time and level elsewhere.
package journal

import (
	"fmt"
	"log/slog"
	"os"
	"syscall"
)

// LastWords is the message of a bridge that ends.
const LastWords = "stopping"

// New returns a logger that writes to a file, which usually is stderr, or to
// journald where journald reads that file.
func New(file *os.File) *slog.Logger {
	if isJournal(file) {
		return slog.New(handler{to: dial(socketPath, file)})
	}
	return slog.New(slog.NewTextHandler(file, nil))
}

// isJournal tells whether systemd connected the file to the journal:
// $JOURNAL_STREAM then names its device and inode (systemd.exec(5)).
func isJournal(file *os.File) bool {
	info, err := file.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
