package systemdctl

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ServiceName is the user service that runs the bridge.
const ServiceName = "nm-session-bridge.service"

//go:embed units
var units embed.FS

// File is a file to install.
type File struct {
	Path    string
	Mode    fs.FileMode
	Content []byte
}

// UnitFiles returns the service and all targets, as files of a directory.
func UnitFiles(dir string) ([]File, error) {
	return embedded(units, "units", dir)
}

// embedded returns the files in a folder of the program, as files of a directory.
func embedded(program embed.FS, folder, dir string) ([]File, error) {
	entries, err := program.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, entry := range entries {
		content, err := program.ReadFile(path.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, File{filepath.Join(dir, entry.Name()), 0o644, content})
	}
	return files, nil
}

// writeAtomically replaces a file as a whole. A running program's file cannot be
// written to, and systemd must never load half a unit.
func writeAtomically(file File) error {
	dir := filepath.Dir(file.Path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(dir, "."+filepath.Base(file.Path)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(file.Content)
	if err == nil {
		err = temporary.Chmod(file.Mode)
	}
	if err == nil {
		err = temporary.Sync()
	}
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file.Path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// TakenError names files that exist already, with other content.
type TakenError struct{ Paths []string }

func (e *TakenError) Error() string {
	return strings.Join(e.Paths, ", ") + ": exists already with other content, so nothing was written"
}

// WriteNew writes the files that do not exist yet and returns their paths. If one
// exists with other content, it fails with a [TakenError] before it has written
// anything: it never replaces the user's own files.
func WriteNew(files []File) (written []string, err error) {
	var absent []File
	var taken TakenError
	for _, file := range files {
		if _, err := os.Lstat(file.Path); errors.Is(err, fs.ErrNotExist) {
			absent = append(absent, file)
			continue
		}
		content, err := os.ReadFile(file.Path)
		if err != nil {
			return nil, fmt.Errorf("the path is taken: %w", err)
		}
		if !bytes.Equal(content, file.Content) {
			taken.Paths = append(taken.Paths, file.Path)
		}
	}
	if len(taken.Paths) > 0 {
		return nil, &taken
	}
	for _, file := range absent {
		if err := writeAtomically(file); err != nil {
			return written, err
		}
		written = append(written, file.Path)
	}
	return written, nil
}
