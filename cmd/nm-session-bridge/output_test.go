package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// io.WriteString and io.Copy use a writer's shortcuts if it has any.
func TestNoWriteErrorIsMissed(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for name, write := range map[string]func(io.Writer){
		"Write":       func(w io.Writer) { _, _ = w.Write([]byte("words")) },
		"WriteString": func(w io.Writer) { _, _ = io.WriteString(w, "words") },
		"Copy":        func(w io.Writer) { _, _ = io.Copy(w, io.MultiReader(strings.NewReader("words"))) },
	} {
		printed := &printout{file: full}
		if write(printed); printed.err == nil {
			t.Errorf("%s: no error is remembered", name)
		}
	}
}
