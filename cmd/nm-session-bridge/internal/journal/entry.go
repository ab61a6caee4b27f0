package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/abbrev"
)

// Identifier marks the entries (journalctl -t), wherever the program is.
const Identifier = "nm-session-bridge"

// entry is a record on its way to the journal.
type entry struct {
	priority   int
	message    string
	attributes []attribute
}

type attribute struct {
	key   string
	value slog.Value
}

func (e entry) text(key string) string {
	for _, a := range e.attributes {
		if a.key == key {
			return a.value.String()
		}
	}
	return ""
}

// sentence returns the entry for people: a transition in words, anything else as the
// message with its attributes.
func (e entry) sentence() string {
	if e.text("switch") != "" && e.text("to") != "" {
		return e.transition()
	}
	words := []string{e.message}
	for _, a := range e.attributes {
		words = append(words, a.key+"="+quoted(a.value.String()))
	}
	return strings.Join(words, " ")
}

// transition returns the position, the reason and the result, as in
//
//	internet is offline: Connectivity=None State=ConnectedSite; internet-offline.target after 10.18ms
func (e entry) transition() string {
	said := abbrev.Words(e.message)
	if reason := e.text("reason"); reason != "" {
		said += ": " + abbrev.Text(reason)
	}
	if targets := strings.Fields(e.text("targets")); len(targets) > 0 {
		said += "; " + abbrev.List(targets, " and ") + " after " + e.text("duration")
	}
	if result := e.text("result"); result != "" {
		said += ": " + result
	}
	return said
}

// quoted quotes a value that could not be told from its neighbours.
func quoted(s string) string {
	odd := func(r rune) bool { return r == ' ' || r == '"' || r == '=' || !unicode.IsPrint(r) }
	if s == "" || strings.ContainsFunc(s, odd) {
		return strconv.Quote(s)
	}
	return s
}

// fields returns the entry in journald's native protocol
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
func (e entry) fields() []byte {
	var b bytes.Buffer
	writeField(&b, "MESSAGE", e.sentence())
	writeField(&b, "PRIORITY", strconv.Itoa(e.priority))
	writeField(&b, "SYSLOG_IDENTIFIER", Identifier)
	for _, a := range e.attributes {
		name := fieldName(a.key)
		switch {
		case a.key == "targets":
			// One field for each, so that a target can be searched for by name.
			for _, target := range strings.Fields(a.value.String()) {
				writeField(&b, "TARGET", target)
			}
		case name == "":
		case a.value.Kind() == slog.KindDuration:
			writeField(&b, name+"_USEC", strconv.FormatInt(int64(a.value.Duration()/time.Microsecond), 10))
		default:
			writeField(&b, name, a.value.String())
		}
	}
	return b.Bytes()
}

// writeField writes a field, in the binary form if the value has line breaks, which end a
// field in the textual form.
func writeField(b *bytes.Buffer, name, value string) {
	if !strings.Contains(value, "\n") {
		fmt.Fprintf(b, "%s=%s\n", name, value)
		return
	}
	b.WriteString(name + "\n")
	b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(value))))
	b.WriteString(value + "\n")
}

// longestName is the greatest length of a field's name without "_USEC".
const longestName = 64 - len("_USEC")

// fieldName turns an attribute's key into a field name that journald accepts: capital
// letters, digits and underscores, a letter first, and at most 64 bytes
// (journal_field_valid in systemd's journal-file.c). It is empty for a key without a letter.
func fieldName(key string) string {
	name := strings.Map(func(r rune) rune {
		switch r = unicode.ToUpper(r); {
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
	name = strings.TrimLeft(name, "_0123456789")
	return name[:min(len(name), longestName)]
}
