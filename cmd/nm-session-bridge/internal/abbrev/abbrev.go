// Package abbrev shortens text for people. Such text can be long: a hundred
// profiles may be active at once.
package abbrev

import (
	"fmt"
	"strings"
	"time"
)

// The greatest lengths of texts, in bytes. A list fits in one line, and a service's
// own reason in two.
const (
	longestList = 100
	longestText = 200
)

// Words shortens a list of words, separated by blanks, to the first words and the
// number of the others.
func Words(list string) string {
	if len(list) <= longestList {
		return list
	}
	return List(strings.Fields(list), " ")
}

// List joins words with a separator. If the result is too long, it has the first
// words and the number of the others.
func List(words []string, between string) string {
	if list := strings.Join(words, between); len(list) <= longestList {
		return list
	}
	shown := Text(words[0])
	for i, word := range words[1:] {
		if len(shown)+len(between)+len(word) > longestList {
			return fmt.Sprintf("%s and %d more", shown, len(words)-1-i)
		}
		shown += between + word
	}
	return shown
}

// Text shortens a text that is too long, and marks the cut with an ellipsis.
func Text(text string) string {
	if len(text) <= longestText {
		return text
	}
	return strings.ToValidUTF8(text[:longestText], "") + "…"
}

// Duration returns a duration in its two largest units, as in "2 h 5 min".
func Duration(d time.Duration) string {
	if d > 0 && d < time.Second {
		return "under 1 s"
	}
	d = d.Round(time.Second)
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	for i, unit := range units {
		if d < unit.size {
			continue
		}
		said := fmt.Sprintf("%d %s", d/unit.size, unit.name)
		if i+1 < len(units) {
			if rest := d % unit.size / units[i+1].size; rest > 0 {
				said += fmt.Sprintf(" %d %s", rest, units[i+1].name)
			}
		}
		return said
	}
	return "0 s"
}
