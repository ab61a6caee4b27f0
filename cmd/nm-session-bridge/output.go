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

// Fd returns the descriptor, which shows whether the file is a terminal.
func (p *printout) Fd() uintptr { return p.file.Fd() }
