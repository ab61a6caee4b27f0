package doctor

import (
	"fmt"
	"regexp"
	"strings"
)

// listed joins words as a sentence does.
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// settings writes the names of unit file settings as a person writes them.
func settings(keys []string) string {
	written := make([]string, len(keys))
	for i, key := range keys {
		written[i] = key + "="
	}
	return listed(written)
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+:,./=-]+$`)

// quoted makes one word of a shell of any text.
func quoted(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
