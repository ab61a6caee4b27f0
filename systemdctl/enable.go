package systemdctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// UnitFileManager is the part of a user manager that enables and disables units.
// A [systemd.Conn] of go-systemd implements it.
type UnitFileManager interface {
	EnableUnitFilesContext(ctx context.Context, files []string, runtime, force bool) (bool, []systemd.EnableUnitFileChange, error)
	DisableUnitFilesContext(ctx context.Context, files []string, runtime bool) ([]systemd.DisableUnitFileChange, error)
	ReloadContext(ctx context.Context) error
}

// Enable enables a unit, makes the manager read all unit files again, and reports
// whether the unit was disabled before.
func Enable(ctx context.Context, manager UnitFileManager, unit string) (bool, error) {
	_, links, err := manager.EnableUnitFilesContext(ctx, []string{unit}, false, false)
	if err != nil {
		err = fmt.Errorf("cannot enable %s: %w", unit, err)
	}
	return len(links) > 0, ReloadAfter(ctx, manager, err)
}

// Disable disables a unit, which may be gone, makes the manager read all unit files
// again, and reports whether the unit was enabled before.
func Disable(ctx context.Context, manager UnitFileManager, unit string) (bool, error) {
	links, err := manager.DisableUnitFilesContext(ctx, []string{unit}, false)
	var refusal dbus.Error
	if errors.As(err, &refusal) {
		err = nil // there is nothing left to disable
	}
	if err != nil {
		err = fmt.Errorf("cannot disable %s: %w", unit, err)
	}
	return len(links) > 0, ReloadAfter(ctx, manager, err)
}

// reloadTimeout bounds a reload as systemctl does (DAEMON_RELOAD_TIMEOUT_SEC in systemd's
// sources): systemd ends generators after 90 seconds.
const reloadTimeout = 3 * time.Minute

// ReloadAfter makes the manager read all unit files again after a change, even if the
// change failed halfway or the context has ended. It returns the error of the change, or
// else that of the reload. systemctl enable and disable do the same: the D-Bus calls leave
// every unit with NeedDaemonReload in systemd 257 and 262, though not in 252.
func ReloadAfter(ctx context.Context, manager interface{ ReloadContext(context.Context) error }, failed error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadTimeout)
	defer cancel()
	if err := manager.ReloadContext(ctx); err != nil && failed == nil {
		return fmt.Errorf("cannot reload the user manager: %w", err)
	}
	return failed
}
