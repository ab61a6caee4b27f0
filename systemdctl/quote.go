package systemdctl

import (
	"slices"
	"strings"
)

// Quote quotes a word for the shell, if necessary. Every command that is printed or
// logged is built with it, so that it can be run as it stands, whatever the names of
// directories and units are.
func Quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, isSpecial) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Operands quotes names for the end of a printed command. The shell does not take a
// name that begins with a dash, as the names of units may, for an option.
func Operands(names ...string) string {
	words := make([]string, 0, len(names)+1)
	if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "-") }) {
		words = append(words, "--")
	}
	for _, name := range names {
		words = append(words, Quote(name))
	}
	return strings.Join(words, " ")
}

// isSpecial reports whether a character may mean something to the shell.
func isSpecial(c rune) bool {
	isLetterOrDigit := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	return !isLetterOrDigit && !strings.ContainsRune("_@%+:,./=-", c)
}
