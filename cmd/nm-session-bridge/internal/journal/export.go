package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Exported is an entry as journalctl exports it.
type Exported struct {
	Time time.Time
	// Monotonic is the time since the boot, without sleep.
	Monotonic time.Duration
	// Boot is the boot's ID.
	Boot string
	// Fields holds all fields. A field may occur several times.
	Fields map[string][]string
}

// Text returns a field's first value, or "" if there is none.
func (e Exported) Text(field string) string {
	if values := e.Fields[field]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// ParseExport reads entries in the journal's export format
// (https://systemd.io/JOURNAL_EXPORT_FORMATS/): a line for each field, an empty
// line after each entry.
func ParseExport(export []byte) ([]Exported, error) {
	var all []Exported
	e := Exported{Fields: map[string][]string{}}
	for len(export) > 0 {
		name, value, rest, err := field(export)
		if err != nil {
			return nil, err
		}
		export = rest
		if name != "" {
			e.Fields[name] = append(e.Fields[name], value)
		}
		if len(e.Fields) == 0 || name != "" && len(export) > 0 {
			continue
		}
		if err := e.date(); err != nil {
			return nil, err
		}
		all = append(all, e)
		e = Exported{Fields: map[string][]string{}}
	}
	return all, nil
}

var errBroken = errors.New("cannot read the output of journalctl: a field is cut off")

// field cuts off a field: NAME=value, or for a binary value the name, a line break, the
// value's length as a little-endian 64-bit number, and the value. The end of an entry has
// no name.
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

// date reads the entry's times and boot from its fields.
func (e *Exported) date() error {
	micros, err := strconv.ParseInt(e.Text("__REALTIME_TIMESTAMP"), 10, 64)
	if err != nil {
		return fmt.Errorf("cannot read the output of journalctl: the time of an entry: %w", err)
	}
	monotonic, err := strconv.ParseInt(e.Text("__MONOTONIC_TIMESTAMP"), 10, 64)
	if err != nil {
		return fmt.Errorf("cannot read the output of journalctl: the monotonic time of an entry: %w", err)
	}
	e.Time, e.Monotonic, e.Boot = time.UnixMicro(micros), time.Duration(monotonic)*time.Microsecond, e.Text("_BOOT_ID")
	return nil
}

// IDs of the user manager's messages about a unit (sd-messages.h of systemd;
// journalctl --catalog has their texts).
const (
	UnitStarting      = "7d4958e842da4a758f6c1cdc7b36dcc5"
	UnitStarted       = "39f53479d3a045ac8e11786248231fbf"
	UnitFailed        = "be02cf6855d2428ba40df7e9d022f03d" // to start
	UnitStopping      = "de5b426a63be47a7b6ac3eaac82e2f6f"
	UnitStopped       = "9d1aaa27d60140bd96365438aad20286"
	UnitFailureResult = "d9b373ed55a64feb8242e02dbe79a49c"
)
