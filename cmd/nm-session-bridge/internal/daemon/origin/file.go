// Package origin notices that the file that this process was started from has been
// replaced or removed. Package managers run as root, and must neither trust nor wait for a
// user's manager, so the bridge checks its file itself.
package origin

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// fate is what has happened to a file.
type fate int

const (
	unchanged fate = iota // or unknown
	replaced
	removed
)

// sight is what one look at a file has found.
type sight struct {
	fate fate
	info fs.FileInfo // of the file that is there now
}

// File is the file that a process was started from.
type File struct {
	path    string
	running string      // always leads to the program that runs, wherever its file is
	known   fs.FileInfo // of the latest file at path that held the same program
	last    sight
}

// Started returns the file that this process was started from: the path that the service
// manager was given, even if it is a link, otherwise the program's own path.
func Started() (*File, error) {
	const self = "/proc/self/exe" // also works if the process's file is gone (proc_pid_exe(5))
	if named := os.Args[0]; filepath.IsAbs(named) {
		if f := newFile(named, self); f.look().fate == unchanged {
			return f, nil
		}
	}
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return newFile(path, self), nil
}

func newFile(path, running string) *File {
	f := &File{path: path, running: running}
	f.known, _ = os.Stat(running) // without it, contents are compared
	return f
}

// fate returns what has happened to the file. It believes only what it has seen in two
// calls in a row: pacman, and rm followed by cp, leave no file for a moment, and then part
// of one.
func (f *File) fate() fate {
	before := f.last
	f.last = f.look()
	if f.last.fate != before.fate || f.last.fate == replaced && !isSame(f.last.info, before.info) {
		return unchanged
	}
	return f.last.fate
}

func (f *File) look() sight {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// If its directory is missing, the file may just be out of reach, as in a home
		// that is no longer mounted.
		if isGone(f.path) {
			return sight{fate: removed}
		}
		return sight{}
	case err != nil, !info.Mode().IsRegular(), info.Mode().Perm()&0o111 == 0:
		return sight{} // nothing could be started from it
	case isSame(info, f.known):
		return sight{}
	case haveSameContent(f.path, f.running):
		f.known = info
		return sight{}
	}
	return sight{replaced, info}
}

// isGone reports whether a file does not exist in a directory that does.
func isGone(path string) bool {
	_, err := os.Lstat(path)
	_, errDirectory := os.Stat(filepath.Dir(path))
	return errors.Is(err, fs.ErrNotExist) && errDirectory == nil
}

// isSame reports whether two looks have found the same file, unchanged.
func isSame(one, other fs.FileInfo) bool {
	return one != nil && other != nil && os.SameFile(one, other) && one.Size() == other.Size() && one.ModTime().Equal(other.ModTime())
}

// haveSameContent reports whether two files can be read and have the same content.
func haveSameContent(one, other string) bool {
	a, err := os.Open(one)
	if err != nil {
		return false
	}
	defer a.Close()
	b, err := os.Open(other)
	if err != nil {
		return false
	}
	defer b.Close()
	const page = 16 << 10 // small, because the bridge at rest has little memory
	ofA, ofB := make([]byte, page), make([]byte, page)
	for {
		n, err := io.ReadFull(a, ofA)
		m, _ := io.ReadFull(b, ofB)
		switch {
		case !bytes.Equal(ofA[:n], ofB[:m]):
			return false
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return true // b has ended with the same bytes
		case err != nil:
			return false
		}
	}
}
