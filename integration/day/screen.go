package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// screen prints the timeline: coloured on a terminal, plain in a pipe.
type screen struct {
	out    io.Writer
	colour bool
}

func newScreen(file *os.File) *screen {
	info, err := file.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &screen{out: file, colour: terminal && os.Getenv("NO_COLOR") == ""}
}

// SGR parameters of ECMA-48.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (s *screen) paint(style, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

func (s *screen) heading(text string) {
	fmt.Fprintln(s.out, s.paint(dim, text))
}

func (s *screen) scene(title string) {
	fmt.Fprintf(s.out, "\n%s  %s\n", s.paint(dim, time.Now().Format("15:04:05.000")), s.paint(bold, title))
}

func (s *screen) unit(after time.Duration, change, unit string) {
	style := map[string]string{"started": green, "stopped": yellow, "failed": red}[change]
	line := fmt.Sprintf("%-7s  %s", change, unit)
	if style != "" {
		line = s.paint(style, line)
	}
	fmt.Fprintf(s.out, "%s  %s\n", s.paint(dim, fmt.Sprintf("%+9.1f ms", float64(after.Microseconds())/1000)), line)
}

func (s *screen) verdict(e expectation, missed error) {
	if missed != nil {
		fmt.Fprintln(s.out, s.paint(red, "  MISSED  "+missed.Error()))
		return
	}
	fmt.Fprintln(s.out, s.paint(dim, "  as expected: "+strings.Join(e.active, ", ")+" active; "+strings.Join(e.inactive, ", ")+" not"))
}

func (s *screen) summary(scenes int, took time.Duration) {
	fmt.Fprintf(s.out, "\n%s\n", s.paint(green, fmt.Sprintf("%d scenes, every unit state as expected, %s in all", scenes, took.Round(100*time.Millisecond))))
}
