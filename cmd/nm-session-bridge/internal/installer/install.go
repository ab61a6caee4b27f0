// Package installer installs the program, its service and its targets for a user, removes
// them, and adds example units.
package installer

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/self"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Options are a user's choices for [Install].
type Options struct {
	// Now starts the service, or restarts it if it is older than its files.
	Now bool
	// Force replaces files that were changed, and keeps copies of them.
	Force bool
}

// Extras are what Install writes besides the program and the units.
type Extras struct {
	// Manual holds the manual's pages, in mdoc(7).
	Manual fs.FS
	// Bash and Fish complete command lines in the shells that look for completions
	// in a user's home; zsh does not.
	Bash, Fish []byte
}

// Install writes the program and its units and enables the service. The program of a
// package only enables it: the package has installed the files.
func Install(ctx context.Context, options Options, extras Extras, stdout io.Writer) error {
	p, err := userPlaces()
	if err != nil {
		return err
	}
	manager, err := connect(ctx)
	if err != nil {
		return err
	}
	defer manager.Close()
	if err := p.readBy(manager); err != nil {
		return err
	}
	written, err := write(p, extras, options.Force, stdout)
	if err != nil {
		return err
	}
	// This is needed even if nothing was written now: an earlier install may have been
	// interrupted before it.
	enabled, err := systemdctl.Enable(ctx, manager, systemdctl.ServiceName)
	if err != nil {
		return err
	}
	if enabled {
		fmt.Fprintf(stdout, "enabled %s\n", systemdctl.ServiceName)
	}
	if !written && !enabled {
		fmt.Fprintln(stdout, "already installed, nothing changed")
	}
	if dir := filepath.Dir(p.program()); !slices.Contains(filepath.SplitList(os.Getenv("PATH")), dir) {
		fmt.Fprintf(stdout, "note: %s is not in your PATH, so the shell and man do not find nm-session-bridge there before the next login; for now: export PATH=%[1]s:$PATH\n", dir)
	}
	if !p.packaged && hasPackage() {
		fmt.Fprintf(stdout, "note: these files win over those of the package in %s\n", packagedUnits)
	}
	return bringUp(ctx, manager, p, options.Now, stdout)
}

// write writes the files, unless a package has, and reports whether there was anything to
// do.
func write(p places, extras Extras, force bool, stdout io.Writer) (bool, error) {
	installation, err := systemdctl.OpenInstallation(p.record())
	if err != nil {
		return false, err
	}
	if p.packaged {
		if !installation.Empty() {
			return false, fmt.Errorf("an earlier install wrote files below %s that win over this package's: remove them with nm-session-bridge uninstall and repeat this", p.data)
		}
		return false, nil
	}
	files, err := p.files(extras)
	if err != nil {
		return false, err
	}
	written, err := installation.Write(files, force)
	for path, copied := range written.Kept {
		fmt.Fprintf(stdout, "kept your %s as %s\n", path, copied)
	}
	for _, path := range written.Files {
		fmt.Fprintf(stdout, "wrote %s\n", path)
	}
	for _, path := range written.Dropped {
		fmt.Fprintf(stdout, "removed %s\n", path)
	}
	return len(written.Files)+len(written.Dropped) > 0, err
}

// bringUp starts the service, or restarts one that is older than its files. Without now it
// only says how to do so.
func bringUp(ctx context.Context, manager *systemd.Conn, p places, now bool, stdout io.Writer) error {
	running, err := property[string](ctx, manager, "Unit", "ActiveState")
	if err != nil {
		return err
	}
	outdated, err := isOutdated(ctx, manager, p)
	if err != nil {
		return err
	}
	ask, verb := manager.StartUnitContext, "start"
	if running == "active" {
		if !outdated {
			return reportPositions(ctx, manager, stdout)
		}
		ask, verb = manager.RestartUnitContext, "restart"
	}
	if !now {
		fmt.Fprintf(stdout, "next: systemctl --user %s nm-session-bridge (or at the next login)\n", verb)
		return nil
	}
	if err := finish(ctx, ask, systemdctl.ServiceName); err != nil {
		return fmt.Errorf("%w; %s doctor says why, as does journalctl --user -u nm-session-bridge", err, self.Command())
	}
	fmt.Fprintf(stdout, "%sed %s\n", verb, systemdctl.ServiceName)
	return reportPositions(ctx, manager, stdout)
}

// isOutdated reports whether the service started before its program or its unit file was
// last written.
func isOutdated(ctx context.Context, manager *systemd.Conn, p places) (bool, error) {
	micros, err := property[uint64](ctx, manager, "Service", "ExecMainStartTimestamp")
	if err != nil {
		return false, err
	}
	started := time.UnixMicro(int64(micros))
	for _, path := range []string{p.program(), filepath.Join(p.units(), systemdctl.ServiceName)} {
		info, err := os.Stat(path)
		if err != nil {
			return false, err
		}
		if info.ModTime().After(started) {
			return true, nil
		}
	}
	return false, nil
}

func reportPositions(ctx context.Context, manager *systemd.Conn, stdout io.Writer) error {
	positions, err := property[string](ctx, manager, "Service", "StatusText")
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "now: %s\n", positions)
	return nil
}
