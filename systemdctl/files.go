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
	"syscall"
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

// TakenError names files that exist already, with other content.
type TakenError struct{ Paths []string }

func (e *TakenError) Error() string {
	return strings.Join(e.Paths, ", ") + ": exists already with other content, so nothing was written"
}

// WriteNew writes the files that do not exist yet and returns their paths. If one exists
// with other content, it fails with a [TakenError]. If one cannot be written, it fails,
// too. In both cases it has written nothing: it never replaces the user's own files.
func WriteNew(files []File) (written []string, err error) {
	var absent []File
	var taken TakenError
	for _, file := range files {
		if _, err := os.Lstat(file.Path); errors.Is(err, fs.ErrNotExist) {
			absent = append(absent, file)
			continue
		}
		content, err := ReadRegular(file.Path)
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
	staged, err := stageFiles(absent)
	if err != nil {
		return nil, fmt.Errorf("%w; nothing was written", err)
	}
	defer staged.discard()
	for _, file := range absent {
		if err := staged.commit(file.Path); err != nil {
			return written, err
		}
		written = append(written, file.Path)
	}
	return written, nil
}

// CheckWritable returns an error if files cannot be created or removed in a directory,
// or in the nearest existing directory above it.
func CheckWritable(dir string) error {
	for {
		_, err := os.Stat(dir)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	const toChange = 0o3 // W_OK and X_OK of access(2)
	if err := syscall.Access(dir, toChange); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return nil
}
