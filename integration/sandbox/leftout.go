package sandbox

import (
	"fmt"
	"io"
	"os"
)

// TellLeftOut prints that tests were left out because they need root. go test
// hides the output of passing packages, so it also prints to the terminal, if
// there is one.
func TellLeftOut(what string) {
	var out io.Writer = os.Stderr
	if terminal, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
		defer terminal.Close()
		out = io.MultiWriter(os.Stderr, terminal)
	}
	fmt.Fprintf(out, "LEFT OUT, because it needs root: %s; ./integration/test runs everything\n", what)
}
