// Package journal writes the log in the form that its reader wants: entries
// with fields where journald reads, lines with time and level elsewhere.
package journal

import (
	"log/slog"
	"os"

	"github.com/coreos/go-systemd/v22/journal"
)

// LastWords is the message of a bridge that ends.
const LastWords = "stopping"

// New returns a logger that writes to stderr, or to journald where journald reads
// the process's stderr.
func New(stderr *os.File) *slog.Logger {
	if isJournal, err := journal.StderrIsJournalStream(); err == nil && isJournal {
		return slog.New(handler{to: dial(socketPath, stderr)})
	}
	return slog.New(slog.NewTextHandler(stderr, nil)) // also where $JOURNAL_STREAM is malformed
}
