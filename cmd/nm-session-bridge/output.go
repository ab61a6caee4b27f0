package main

import "os"

// printout is a file that remembers its first write error, so that no command has to
// check every print.
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

// Fd returns the descriptor, by which a terminal is known.
func (p *printout) Fd() uintptr { return p.file.Fd() }
