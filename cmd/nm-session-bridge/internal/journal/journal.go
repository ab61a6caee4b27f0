// Package journal writes the log: entries with fields to journald, and lines with time
// and level to anything else. It also reads the entries that journalctl exports.
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
	return slog.New(slog.NewTextHandler(stderr, nil)) // also if $JOURNAL_STREAM is malformed
}
