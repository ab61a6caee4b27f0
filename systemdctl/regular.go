package systemdctl

import (
	"errors"
	"fmt"
	"os"
)

var errIrregular = errors.New("not a regular file: move it away, then repeat this")

// ReadRegular reads a regular file. Something else may be in its place: a plain read of a
// pipe waits for ever, and one of a device may never end.
func ReadRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, errIrregular)
	}
	return os.ReadFile(path)
}
