package systemdctl

import "strings"

// Quote quotes a word for the shell, if it needs that. Every command that is
// printed or logged is put together with it, so that it can be run as it stands,
// whatever the names of directories and units are.
func Quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, isSpecial) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// isSpecial reports whether a character may mean something to the shell.
func isSpecial(c rune) bool {
	isLetterOrDigit := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	return !isLetterOrDigit && !strings.ContainsRune("_@%+:,./=-", c)
}
