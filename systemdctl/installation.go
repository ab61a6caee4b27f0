package systemdctl

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Installation is the set of files that install wrote. A record keeps their
// checksums, which show the files that the user has changed since.
type Installation struct {
	record string              // path of the record
	sums   map[string][]string // path → checksum as install wrote it; two during an upgrade
}

// ChangedError names files that are not as install wrote them.
type ChangedError struct{ Paths []string }

func (e *ChangedError) Error() string {
	return strings.Join(e.Paths, ", ") + ": not as install wrote it, so nothing was installed; " +
		"keep your change with systemctl --user edit and remove the file, or repeat with --force, which keeps a copy"
}

// OpenInstallation reads the record of an installation, which has a line with a
// checksum and a path for each file. The record need not exist.
func OpenInstallation(record string) (*Installation, error) {
	i := &Installation{record: record, sums: map[string][]string{}}
	content, err := ReadRegular(record)
	if errors.Is(err, fs.ErrNotExist) {
		return i, nil
	}
	if err != nil {
		return nil, err
	}
	if err := i.read(string(content)); err != nil {
		return nil, fmt.Errorf("%s: %w; remove the file and install with --force", record, err)
	}
	return i, nil
}

func (i *Installation) read(record string) error {
	for line := range strings.Lines(record) {
		sum, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || !filepath.IsAbs(path) || len(sum) != len(checksum(nil)) && len(sum) != sha256Digits {
			return fmt.Errorf("%q is not a checksum and a path", line)
		}
		if len(sum) == sha256Digits {
			sum = fromSHA256(sum, path)
		}
		i.sums[path] = append(i.sums[path], sum)
	}
	return nil
}

// Empty reports whether nothing is installed.
func (i *Installation) Empty() bool {
	return len(i.sums) == 0
}

// Written is what [Installation.Write] did.
type Written struct {
	// Files and Dropped are the paths that were written and removed.
	Files, Dropped []string
	// Kept maps the path of each replaced file of the user to its copy.
	Kept map[string]string
}

// Write installs the files and removes those of an older version that are not among
// them. If the user has changed or created one of them, Write fails with a
// [ChangedError] before it has written anything. With force it replaces that file
// and keeps a copy under the same name with a ~ appended. If one file cannot be
// written, it writes none.
func (i *Installation) Write(files []File, force bool) (written Written, err error) {
	written.Kept = map[string]string{}
	var changed []File
	var foreign ChangedError
	for _, file := range files {
		state, err := i.inspect(file)
		if err != nil {
			return written, err
		}
		if state == foreignContent {
			foreign.Paths = append(foreign.Paths, file.Path)
		}
		if state != asWanted {
			changed = append(changed, file)
		}
	}
	if len(foreign.Paths) > 0 && !force {
		return written, &foreign
	}
	// The record comes first, so that files of an interrupted install count as
	// ours.
	sums := map[string]string{}
	for _, file := range files {
		sum := checksum(file.Content)
		sums[file.Path] = sum
		if !slices.Contains(i.sums[file.Path], sum) {
			i.sums[file.Path] = append(i.sums[file.Path], sum)
		}
	}
	changed = append(i.unsaved(), changed...)
	staged, err := stageFiles(changed)
	if err != nil {
		return written, fmt.Errorf("%w; nothing was installed", err)
	}
	defer staged.discard()
	for _, file := range changed {
		if slices.Contains(foreign.Paths, file.Path) {
			if written.Kept[file.Path], err = keep(file.Path); err != nil {
				return written, err
			}
		}
		if err := staged.commit(file.Path); err != nil {
			return written, err
		}
		if file.Path != i.record {
			written.Files = append(written.Files, file.Path)
		}
	}
	if written.Dropped, err = i.drop(files); err != nil {
		return written, err
	}
	for path, sum := range sums {
		i.sums[path] = []string{sum}
	}
	return written, i.save()
}

// keep renames a file to a free name, and returns that name.
func keep(path string) (string, error) {
	for n := 1; ; n++ {
		name := path + "~"
		if n > 1 {
			name += strconv.Itoa(n)
		}
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name, os.Rename(path, name)
		} else if err != nil {
			return "", err
		}
	}
}

// drop removes the files that an older version installed and this version does not
// have.
func (i *Installation) drop(files []File) (dropped []string, err error) {
	for path := range i.sums {
		if slices.ContainsFunc(files, func(f File) bool { return f.Path == path }) {
			continue
		}
		gone, err := i.removeIfOwn(path, false)
		if err != nil {
			return nil, err
		}
		if gone {
			dropped = append(dropped, path)
		}
		delete(i.sums, path)
	}
	return dropped, nil
}

// Remove removes what install wrote. It returns the paths that it removed, and the
// paths that it left because the files were changed. With force it leaves none.
func (i *Installation) Remove(force bool) (removed, left []string, err error) {
	for _, path := range slices.Sorted(maps.Keys(i.sums)) {
		gone, err := i.removeIfOwn(path, force)
		if err != nil {
			return removed, left, err
		}
		if gone {
			removed = append(removed, path)
		} else {
			left = append(left, path)
		}
	}
	for _, path := range removed {
		delete(i.sums, path)
	}
	if len(left) > 0 {
		return removed, left, i.save() // they can still be removed with force
	}
	err = os.Remove(i.record)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return removed, left, err
}

// CheckRemovable returns an error if [Installation.Remove] could not remove a file.
func (i *Installation) CheckRemovable() error {
	for _, path := range slices.Sorted(maps.Keys(i.sums)) {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := CheckWritable(filepath.Dir(path)); err != nil {
			return fmt.Errorf("cannot remove %s: %w", path, err)
		}
	}
	return nil
}

// removeIfOwn removes a file if it is unchanged since install wrote it, or if
// force is set. It reports whether the file is gone.
func (i *Installation) removeIfOwn(path string, force bool) (bool, error) {
	content, isUsers, err := look(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if (isUsers || !slices.Contains(i.sums[path], checksum(content))) && !force {
		return false, nil
	}
	return true, os.Remove(path)
}

// fileState says how a file compares with the one to be installed.
type fileState int

const (
	missing fileState = iota
	asWanted
	ownContent     // of another version, unchanged since install wrote it
	foreignContent // changed or created by the user
)

func (i *Installation) inspect(file File) (fileState, error) {
	content, isUsers, err := look(file.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return missing, nil
	}
	if err != nil {
		return missing, err
	}
	switch {
	case bytes.Equal(content, file.Content):
		return asWanted, nil
	case slices.Contains(i.sums[file.Path], checksum(content)) && !isUsers:
		return ownContent, nil
	}
	return foreignContent, nil
}

// look reads a file, and reports whether something is in its place that only the user can
// have put there, because install writes none: a link, a directory or a pipe. If it leads
// to no regular file, there is no content.
func look(path string) (content []byte, isUsers bool, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, false, err
	}
	isUsers = !info.Mode().IsRegular()
	content, err = ReadRegular(path)
	if isUsers && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, errIrregular)) {
		err = nil
	}
	return content, isUsers, err
}

// unsaved returns the record as a file to write, unless it is on disk already.
func (i *Installation) unsaved() []File {
	content := i.content()
	if old, err := ReadRegular(i.record); err == nil && bytes.Equal(old, content) {
		return nil
	}
	return []File{{i.record, 0o644, content}}
}

func (i *Installation) save() error {
	files := i.unsaved()
	staged, err := stageFiles(files)
	if err != nil {
		return err
	}
	defer staged.discard()
	for _, file := range files {
		if err := staged.commit(file.Path); err != nil {
			return err
		}
	}
	return nil
}

// content is the text of the record, sorted by path.
func (i *Installation) content() []byte {
	var content strings.Builder
	for _, path := range slices.Sorted(maps.Keys(i.sums)) {
		for _, sum := range i.sums[path] {
			content.WriteString(sum + "  " + path + "\n")
		}
	}
	return []byte(content.String())
}

// checksum tells a changed file from an unchanged one. It need not withstand
// forgery: the files are the user's own.
func checksum(content []byte) string {
	sum := fnv.New128a()
	_, _ = sum.Write(content) // never fails
	return hex.EncodeToString(sum.Sum(nil))
}
