package laptop

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"testing"
)

// TestTheEndOfTheMachineIsNoFault plays a QEMU that ends in the middle of a command, and one
// that ends before it.
func TestTheEndOfTheMachineIsNoFault(t *testing.T) {
	for name, end := range map[string]func(*os.File){
		"amid a command": func(qemu *os.File) {
			answer(t, qemu)
			fmt.Fprintln(qemu, `{"event": "SHUTDOWN", "data": {}}`)
			one := make([]byte, 1)
			if _, err := io.ReadFull(qemu, one); err != nil {
				t.Error(err)
			}
		},
		"before a command": func(qemu *os.File) {
			answer(t, qemu)
			fmt.Fprintln(qemu, `{"event": "SHUTDOWN", "data": {}}`)
		},
		"between commands": func(qemu *os.File) { answer(t, qemu) },
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs, err := monitorPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			go func() {
				defer theirs.Close()
				end(theirs)
			}()
			if err := keep(ours); err != nil {
				t.Errorf("the end is told as %q", err)
			}
		})
	}
}

// answer reads a command and answers it.
func answer(t *testing.T, qemu *os.File) {
	t.Helper()
	if _, err := bufio.NewReader(qemu).ReadString('\n'); err != nil {
		t.Error(err)
	}
	fmt.Fprintln(qemu, `{"return": {}}`)
}
