package journal

import (
	"context"
	"log/slog"
)

// handler turns each record into an entry of the journal. journald adds the time.
type handler struct {
	to         *journald
	attributes []attribute
	group      string // the prefix of further attributes' names
}

// Priorities of syslog(3).
const (
	errorPriority   = 3
	warningPriority = 4
	infoPriority    = 6
	debugPriority   = 7
)

func priority(level slog.Level) int {
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

// Enabled implements [slog.Handler].
func (h handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

// Handle implements [slog.Handler]. An entry that cannot be written is lost: the
// bridge neither waits for journald nor ends with it.
func (h handler) Handle(_ context.Context, record slog.Record) error {
	e := entry{priority(record.Level), record.Message, h.attributes}
	record.Attrs(func(a slog.Attr) bool {
		e.attributes = appendAttribute(e.attributes, h.group, a)
		return true
	})
	return h.to.write(e)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.attributes = appendAttribute(h.attributes, h.group, a)
	}
	return h
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	if name != "" {
		h.group += name + "."
	}
	return h
}

// appendAttribute flattens groups. It never writes to a slice that others may
// share.
func appendAttribute(all []attribute, group string, a slog.Attr) []attribute {
	value := a.Value.Resolve()
	if value.Kind() != slog.KindGroup {
		if a.Equal(slog.Attr{}) {
			return all
		}
		return append(all[:len(all):len(all)], attribute{group + a.Key, value})
	}
	if a.Key != "" {
		group += a.Key + "."
	}
	for _, member := range value.Group() {
		all = appendAttribute(all, group, member)
	}
	return all
}
