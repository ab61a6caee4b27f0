package laptop

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
)

// archive is a file system as the kernel unpacks it into memory at its start:
// cpio's "newc" format, see Documentation/driver-api/early-userspace/buffer-format.rst
// in the kernel's sources. The names of its files are relative to the root.
type archive struct {
	content bytes.Buffer
	known   map[string]bool // directories
	entries int
}

// bytes ends the archive and returns its bytes.
func (a *archive) bytes() []byte {
	a.entry("TRAILER!!!", 0, nil)
	return a.content.Bytes()
}

func (a *archive) file(name string, permissions fs.FileMode, content []byte) {
	a.directory(path.Dir(name))
	a.entry(name, 0o100000|uint32(permissions), content)
}

func (a *archive) symlink(name, target string) {
	a.directory(path.Dir(name))
	a.entry(name, 0o120777, []byte(target))
}

// directory adds a directory and its parents, each once.
func (a *archive) directory(name string) {
	if name == "." || a.known[name] {
		return
	}
	if a.known == nil {
		a.known = map[string]bool{}
	}
	a.known[name] = true
	a.directory(path.Dir(name))
	a.entry(name, 0o40755, nil)
}

// entry adds an entry of root's with one link. Header and content are padded to
// multiples of four bytes.
func (a *archive) entry(name string, mode uint32, content []byte) {
	a.entries++
	const uid, gid, links, time, major, minor, checksum = 0, 0, 1, 0, 0, 0, 0
	fmt.Fprintf(&a.content, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.entries, mode, uid, gid, links, time, len(content),
		major, minor, major, minor, len(name)+1, checksum, name)
	a.pad()
	a.content.Write(content)
	a.pad()
}

func (a *archive) pad() {
	for a.content.Len()%4 != 0 {
		a.content.WriteByte(0)
	}
}
