// Package journal writes the log in the form that its reader wants: entries with fields
// for journald, lines with time and level for others. It also reads the entries that
// journalctl exports.
package journal

import (
	"log/slog"
	"os"

	"github.com/coreos/go-systemd/v22/journal"
)

// LastWords is the message that the bridge logs when it ends.
const LastWords = "stopping"

// New returns a logger that writes to stderr, or to journald if the process's stderr is
// connected to it.
func New(stderr *os.File) *slog.Logger {
	if isJournal, err := journal.StderrIsJournalStream(); err == nil && isJournal {
		return slog.New(handler{to: dial(socketPath, stderr)})
	}
	return slog.New(slog.NewTextHandler(stderr, nil)) // also where $JOURNAL_STREAM is malformed
}
