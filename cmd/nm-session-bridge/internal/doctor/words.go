package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// listed joins words as in "a, b and c".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// few joins words like [listed], but only the first of many.
func few(words []string) string {
	const most = 6
	if len(words) > most {
		words = append(slices.Clone(words[:most-1]), fmt.Sprintf("%d more", len(words)-most+1))
	}
	return listed(words)
}

// settings writes the names of unit file settings with an = behind each.
func settings(keys []string) string {
	written := make([]string, len(keys))
	for i, key := range keys {
		written[i] = key + "="
	}
	return listed(written)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
