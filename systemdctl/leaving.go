package systemdctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/godbus/dbus/v5"
)

// Caller calls methods of the user manager, as [Manager] does.
type Caller interface {
	Go(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call
}

// StaysActive reports whether an active unit must stay active when the bridge is removed.
// The end of lock.target ends the locker of a locked screen, and an X locker that ends
// unlocks it.
func StaysActive(unit string) bool { return unit == "lock.target" }

// UnitFile returns the file that the manager read a unit from, or "" if there was none.
// The file may be gone by now.
func UnitFile(ctx context.Context, manager Caller, unit string) (string, error) {
	call := ask(ctx, manager, unitPath(unit), propertiesInterface+".Get", unitInterface, "FragmentPath")
	var file string
	if err := call.Store(&file); err != nil {
		return "", fmt.Errorf("cannot ask the user manager for the file of %s: %w", unit, err)
	}
	return file, nil
}

// StopOrphans stops units whose files are gone, except those that stay active. It does not
// wait until the jobs end. A unit that the user has a file for belongs to the user.
func StopOrphans(ctx context.Context, manager Caller, units []string) error {
	var failed []error
	for _, unit := range units {
		if StaysActive(unit) {
			continue
		}
		file, err := UnitFile(ctx, manager, unit)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := ask(ctx, manager, managerPath, managerInterface+".StopUnit", unit, "replace").Err; err != nil {
			failed = append(failed, fmt.Errorf("cannot stop %s: %w", unit, err))
		}
	}
	return errors.Join(failed...)
}

// ReadFilesAgain makes the manager read all unit files again, and waits until it has.
func ReadFilesAgain(ctx context.Context, manager Caller) error {
	if err := ask(ctx, manager, managerPath, managerInterface+".Reload").Err; err != nil {
		return fmt.Errorf("cannot reload the user manager: %w", err)
	}
	return nil
}

// ask calls a method of the manager and waits for the answer.
func ask(ctx context.Context, manager Caller, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return <-manager.Go(ctx, path, method, args...).Done
}
