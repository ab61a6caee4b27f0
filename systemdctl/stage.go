package systemdctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// stage holds files that were written next to their final paths, under other names.
// The steps that fail without room or permission are done; only the renaming is
// left.
type stage struct {
	temporary map[string]string // by path
	made      []string          // directories, the innermost first
}

// stageFiles writes files, and makes the directories that they need. If one file
// cannot be written, it leaves nothing behind.
func stageFiles(files []File) (*stage, error) {
	s := &stage{temporary: map[string]string{}}
	for _, file := range files {
		if err := s.add(file); err != nil {
			s.discard()
			return nil, fmt.Errorf("cannot write %s: %w", file.Path, bare(err))
		}
	}
	return s, nil
}

func (s *stage) add(file File) error {
	dir := filepath.Dir(file.Path)
	if err := s.makeDirectory(dir); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(dir, "."+filepath.Base(file.Path)+".*") // follows no link
	if err != nil {
		return err
	}
	s.temporary[file.Path] = temporary.Name()
	_, err = temporary.Write(file.Content)
	if err == nil {
		err = temporary.Chmod(file.Mode)
	}
	if err == nil {
		err = temporary.Sync()
	}
	return errors.Join(err, temporary.Close())
}

func (s *stage) makeDirectory(dir string) error {
	var missing []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, d)
	}
	s.made = append(missing, s.made...)
	return os.MkdirAll(dir, 0o755)
}

// commit puts a file into its place. It replaces what is there as a whole: a running
// program's file cannot be written to, and systemd must never load half a unit.
func (s *stage) commit(path string) error {
	if err := os.Rename(s.temporary[path], path); err != nil {
		return err
	}
	delete(s.temporary, path)
	s.made = nil
	return nil
}

// discard removes what was not committed. If nothing was committed, it also removes
// the directories.
func (s *stage) discard() {
	for _, temporary := range s.temporary {
		_ = os.Remove(temporary) // what remains is hidden, and has no effect
	}
	for _, dir := range s.made {
		_ = syscall.Rmdir(dir) // fails if another has put something there, or a link
	}
}

// bare returns the reason of an error without the path, which is that of a temporary
// file.
func bare(err error) error {
	var reason *fs.PathError
	if errors.As(err, &reason) {
		return reason.Err
	}
	return err
}
