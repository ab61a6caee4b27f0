package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// entry is an entry of the journal.
type entry struct {
	at        time.Time
	monotonic time.Duration // since boot, without sleep
	boot      string
	fields    map[string][]string // a field may be there several times
}

// text is a field's first value, empty where there is none.
func (e entry) text(field string) string {
	if values := e.fields[field]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// parse reads entries in the journal's export format
// (https://systemd.io/JOURNAL_EXPORT_FORMATS/): a line for each field, an empty
// line after each entry.
func parse(export []byte) ([]entry, error) {
	var all []entry
	e := entry{fields: map[string][]string{}}
	for len(export) > 0 {
		name, value, rest, err := field(export)
		if err != nil {
			return nil, err
		}
		export = rest
		if name != "" {
			e.fields[name] = append(e.fields[name], value)
		}
		if len(e.fields) == 0 || name != "" && len(export) > 0 {
			continue
		}
		if err := e.date(); err != nil {
			return nil, err
		}
		all = append(all, e)
		e = entry{fields: map[string][]string{}}
	}
	return all, nil
}

var errBroken = errors.New("cannot read what journalctl says: a field is broken off")

// field cuts off a field: NAME=value, or for a value that is no text the name, a
// line break, the value's length in eight bytes, the lowest first, and the
// value. The end of an entry has no name.
func field(export []byte) (name, value string, rest []byte, err error) {
	line, rest, complete := bytes.Cut(export, []byte("\n"))
	if !complete {
		return "", "", nil, errBroken
	}
	before, after, isText := bytes.Cut(line, []byte("="))
	if isText || len(line) == 0 {
		return string(before), string(after), rest, nil
	}
	const size = 8
	if len(rest) < size {
		return "", "", nil, errBroken
	}
	length := binary.LittleEndian.Uint64(rest)
	rest = rest[size:]
	if uint64(len(rest)) <= length {
		return "", "", nil, errBroken
	}
	return string(line), string(rest[:length]), rest[length+1:], nil
}

// date reads when the entry was made.
func (e *entry) date() error {
	micros, err := strconv.ParseInt(e.text("__REALTIME_TIMESTAMP"), 10, 64)
	if err != nil {
		return fmt.Errorf("cannot read what journalctl says: the time of an entry: %w", err)
	}
	monotonic, err := strconv.ParseInt(e.text("__MONOTONIC_TIMESTAMP"), 10, 64)
	if err != nil {
		return fmt.Errorf("cannot read what journalctl says: the monotonic time of an entry: %w", err)
	}
	e.at, e.monotonic, e.boot = time.UnixMicro(micros), time.Duration(monotonic)*time.Microsecond, e.text("_BOOT_ID")
	return nil
}
