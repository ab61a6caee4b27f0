package sandbox

import (
	"fmt"
	"io"
	"os"
)

// TellLeftOut tells a person that tests were left out for want of root. go test
// keeps to itself what passing packages print, so the terminal is told as well,
// where there is one.
func TellLeftOut(what string) {
	var out io.Writer = os.Stderr
	if terminal, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
		defer terminal.Close()
		out = io.MultiWriter(os.Stderr, terminal)
	}
	fmt.Fprintf(out, "LEFT OUT, for it needs root: %s; ./integration/test runs everything\n", what)
}
