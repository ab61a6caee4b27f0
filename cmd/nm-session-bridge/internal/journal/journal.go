// Package journal writes the log in the form that its reader wants: with
// journald's priorities where journald reads, with time and level elsewhere.
package journal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
)

// New returns a logger that writes to a file, which usually is stderr.
func New(file *os.File) *slog.Logger {
	if isJournal(file) {
		return slog.New(newHandler(file))
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

// handler writes each record as one line that starts with its priority in the
// form <N>, as sd-daemon(3) has it. Time and level are left to journald.
type handler struct {
	byPriority map[string]slog.Handler
}

const (
	errorPriority   = "<3>"
	warningPriority = "<4>"
	infoPriority    = "<6>"
	debugPriority   = "<7>"
)

func newHandler(w io.Writer) handler {
	h := handler{byPriority: map[string]slog.Handler{}}
	for _, p := range []string{errorPriority, warningPriority, infoPriority, debugPriority} {
		h.byPriority[p] = slog.NewTextHandler(prefixed{w, p}, &slog.HandlerOptions{ReplaceAttr: withoutTimeAndLevel})
	}
	return h
}

func priority(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return errorPriority
	case level >= slog.LevelWarn:
		return warningPriority
	case level >= slog.LevelInfo:
		return infoPriority
	}
	return debugPriority
}

func withoutTimeAndLevel(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return slog.Attr{}
	}
	return a
}

// Enabled implements [slog.Handler].
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.byPriority[priority(level)].Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, record slog.Record) error {
	return h.byPriority[priority(record.Level)].Handle(ctx, record)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.each(func(p slog.Handler) slog.Handler { return p.WithAttrs(attrs) })
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	return h.each(func(p slog.Handler) slog.Handler { return p.WithGroup(name) })
}

func (h handler) each(change func(slog.Handler) slog.Handler) handler {
	changed := handler{byPriority: map[string]slog.Handler{}}
	for p, one := range h.byPriority {
		changed.byPriority[p] = change(one)
	}
	return changed
}

// prefixed writes a record, which slog hands over whole, behind its priority.
type prefixed struct {
	io.Writer
	priority string
}

func (w prefixed) Write(line []byte) (int, error) {
	_, err := w.Writer.Write(bytes.Join([][]byte{[]byte(w.priority), line}, nil))
	if err != nil {
		return 0, err
	}
	return len(line), nil
}
