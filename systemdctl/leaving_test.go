package systemdctl

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// files is a manager that answers at once, and knows the file of each unit by its path.
type files struct {
	of      map[dbus.ObjectPath]string
	stopped []string
	broken  error // of stops
}

func (m *files) Go(_ context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	call := &dbus.Call{Done: make(chan *dbus.Call, 1)}
	file, known := m.of[path]
	switch {
	case method == managerInterface+".StopUnit":
		m.stopped = append(m.stopped, args[0].(string)) //nolint:forcetypeassert // a panic fails the test
		call.Err = m.broken
	case !known:
		call.Err = io.EOF
	default:
		call.Body = []any{dbus.MakeVariant(file)}
	}
	call.Done <- call
	return call
}

func TestOnlyUnitsWithoutAFileAreStopped(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "mine.target")
	if err := os.WriteFile(mine, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	m := &files{of: map[dbus.ObjectPath]string{
		unitPath("mine.target"):      mine,
		unitPath("gone.target"):      mine + "-gone",
		unitPath("forgotten.target"): "", // the manager has been reloaded
		unitPath("lock.target"):      mine + "-gone",
	}}
	stop := func() error {
		m.stopped = nil
		return StopOrphans(context.Background(), m, []string{"mine.target", "silent.target", "gone.target", "forgotten.target", "lock.target"})
	}
	err := stop()
	if err == nil || !strings.Contains(err.Error(), "silent.target") {
		t.Errorf("the error is %v", err)
	}
	if want := []string{"gone.target", "forgotten.target"}; !slices.Equal(m.stopped, want) {
		t.Errorf("it stopped %v, not %v", m.stopped, want)
	}
	m.broken = io.ErrClosedPipe
	if err := stop(); err == nil || !strings.Contains(err.Error(), "cannot stop forgotten.target") || len(m.stopped) != 2 {
		t.Errorf("it stopped %v: %v", m.stopped, err)
	}
}
