// Lab is our only helper program in the laptop. It stands in for hardware, and
// it starts and ends the machine.
//
//	/init                    the first process: brings the disk up, starts systemd
//	lab lid FIFO POSITION    a lid, closed or open, that follows the words written to FIFO
//	lab check ADDRESS FILE   the server of NetworkManager's connectivity check; FILE says how it answers
//	lab probe DIRECTORY      tries what a sandbox forbids and prints the outcomes; makes files in DIRECTORY
//	lab whoami               prints the number of the user whose rights it has
//	lab end STATUS           ends the machine, with a status for those who started it
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case os.Getpid() == 1:
		return boot()
	case len(args) == 4 && args[1] == "lid":
		return lid(args[2], args[3])
	case len(args) == 4 && args[1] == "check":
		return check(args[2], args[3])
	case len(args) == 3 && args[1] == "end":
		return end(args[2])
	case len(args) == 3 && args[1] == "probe":
		return probe(args[2])
	case len(args) == 2 && args[1] == "whoami":
		_, err := fmt.Println(os.Geteuid())
		return err
	}
	return fmt.Errorf("usage: lab lid FIFO POSITION | check ADDRESS FILE | probe DIRECTORY | whoami | end STATUS")
}
