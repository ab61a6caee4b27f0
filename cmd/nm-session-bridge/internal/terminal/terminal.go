// Package terminal finds out whether a person typed the command, whether output may have
// colours, and how wide it may be.
package terminal

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// IsForeground reports whether the program runs in the foreground of the terminal that a
// file is. That is where a shell puts what a person types (tcgetpgrp(3)).
func IsForeground(file *os.File) bool {
	group, err := unix.IoctlGetInt(int(file.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// Style colours words, or leaves them as they are if output has no colours.
type Style struct{ coloured bool }

// StyleOf returns the style for a writer: coloured if it is a terminal, unless $NO_COLOR
// (https://no-color.org) is set or $TERM is dumb.
func StyleOf(w io.Writer) Style {
	file, isFile := w.(interface{ Fd() uintptr })
	if !isFile {
		return Style{}
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return Style{err == nil && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// Plain leaves words as they are.
func (s Style) Plain(words string) string { return words }

// Bold stresses words.
func (s Style) Bold(words string) string { return s.in("1", words) }

// Dim makes words less prominent.
func (s Style) Dim(words string) string { return s.in("2", words) }

// Good marks words about something that works.
func (s Style) Good(words string) string { return s.in("32", words) }

// Warn colours words that need attention.
func (s Style) Warn(words string) string { return s.in("33", words) }

// Bad marks words about something that does not work.
func (s Style) Bad(words string) string { return s.in("31", words) }

// in colours words by the number of ECMA-48's SGR sequence.
func (s Style) in(number, words string) string {
	if !s.coloured {
		return words
	}
	return "\x1b[" + number + "m" + words + "\x1b[0m"
}

// pipeWidth is the number of columns if neither $COLUMNS nor a terminal gives one.
const pipeWidth = 80

// Columns returns how many columns output to a writer may have: $COLUMNS, otherwise the
// width of the terminal, otherwise 80.
func Columns(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if file, isFile := w.(interface{ Fd() uintptr }); isFile {
		if size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			return int(size.Col)
		}
	}
	return pipeWidth
}
