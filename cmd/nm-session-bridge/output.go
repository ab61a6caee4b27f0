package main

import "os"

// printout is a file that remembers the first error of printing to it, so that
// no command has to look at each.
type printout struct {
	*os.File
	err error
}

// Write implements [io.Writer].
func (p *printout) Write(text []byte) (int, error) {
	n, err := p.File.Write(text)
	if p.err == nil {
		p.err = err
	}
	return n, err
}
