package main

import "os"

// output is where a command writes to.
type output struct {
	stdout *printout
	stderr *os.File
}

// printout prints to a file and remembers the first error, so that no command
// has to look at each.
type printout struct {
	file *os.File
	err  error
}

// Write implements [io.Writer].
func (p *printout) Write(text []byte) (int, error) {
	n, err := p.file.Write(text)
	if p.err == nil {
		p.err = err
	}
	return n, err
}
