// Package installer installs the program, its service and its targets for a user, removes
// them, and adds example units.
package installer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	systemd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/self"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Options are a user's choices for [Install].
type Options struct {
	// Now starts the service, or restarts it if it runs a program other than the installed one.
	Now bool
	// Force replaces files that were changed, and keeps copies of them.
	Force bool
}

// arguments are those of the command line.
func (o Options) arguments() string {
	line := "install"
	if o.Now {
		line += " --now"
	}
	if o.Force {
		line += " --force"
	}
	return line
}

// Extras are what Install writes besides the program and the units.
type Extras struct {
	// Manual holds the manual's pages, in mdoc(7).
	Manual fs.FS
	// Bash and Fish complete command lines in the shells that look for completions in a
	// user's home. zsh does not look there.
	Bash, Fish []byte
}

// Install writes the program and its units and enables the service. The program of a
// package only enables the service, because the package has installed the files.
func Install(ctx context.Context, options Options, extras Extras, stdout io.Writer) error {
	p, err := userPlaces()
	if err != nil {
		return err
	}
	manager, keep, err := connect(ctx)
	if err != nil {
		return err
	}
	defer manager.Close()
	if err := p.check(ctx, manager, options.arguments()); err != nil {
		return err
	}
	if !keep() {
		return ctx.Err()
	}
	written, err := write(p, extras, options.Force, stdout)
	if err != nil && len(written) > 0 {
		return systemdctl.ReloadAfter(ctx, manager, err)
	}
	if err != nil {
		return err
	}
	// This is necessary even if nothing was written now: an earlier install may have been
	// interrupted before this step.
	enabled, err := systemdctl.Enable(ctx, manager, systemdctl.ServiceName)
	if err != nil {
		return err
	}
	if enabled {
		fmt.Fprintf(stdout, "enabled %s\n", systemdctl.ServiceName)
	}
	if len(written) == 0 && !enabled {
		fmt.Fprintln(stdout, "already installed, nothing changed")
	}
	if dir := filepath.Dir(p.program()); !slices.Contains(filepath.SplitList(os.Getenv("PATH")), dir) {
		fmt.Fprintf(stdout, "note: %s is not in your PATH, so the shell and man do not find nm-session-bridge there; for now: export PATH=%s:$PATH\n", dir, systemdctl.Quote(dir))
	}
	if !p.packaged && hasPackage() {
		fmt.Fprintf(stdout, "note: these files take precedence over those of the package in %s\n", packagedUnits)
	}
	isOld := slices.Contains(written, filepath.Join(p.units(), systemdctl.ServiceName))
	if !isOld {
		if isOld, err = runsAnother(ctx, manager, p.program()); err != nil {
			return err
		}
	}
	return bringUp(ctx, manager, isOld, options.Now, stdout)
}

// check returns an error if the user manager would not see the installed files, or could
// not enable the service.
func (p places) check(ctx context.Context, manager *systemd.Conn, arguments string) error {
	if err := p.checkOutlook(manager, arguments); err != nil {
		return err
	}
	err := p.checkEnabling(true)
	if err == nil {
		err = p.checkMask(ctx, manager)
	}
	if err != nil {
		return fmt.Errorf("cannot enable %s: %w; nothing was installed", systemdctl.ServiceName, err)
	}
	return nil
}

// write writes the files, unless a package has, and returns the paths of those that it
// wrote or removed.
func write(p places, extras Extras, force bool, stdout io.Writer) ([]string, error) {
	installation, err := systemdctl.OpenInstallation(p.record())
	if err != nil {
		return nil, err
	}
	if p.packaged {
		if !installation.Empty() {
			return nil, fmt.Errorf("an earlier install wrote files below %s that take precedence over this package's: remove them with %s uninstall and repeat this", p.data, self.Command())
		}
		return nil, nil
	}
	files, err := p.files(extras)
	if err != nil {
		return nil, err
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
	return append(written.Files, written.Dropped...), err
}

// bringUp starts the service, or restarts it if it runs another program than the
// installed one. Without now it only says how to do so.
func bringUp(ctx context.Context, manager *systemd.Conn, isOld, now bool, stdout io.Writer) error {
	running, err := property[string](ctx, manager, "Unit", "ActiveState")
	if err != nil {
		return err
	}
	ask, verb, otherwise := manager.StartUnitContext, "start", "at the next login"
	if running == "active" {
		if !isOld {
			return reportPositions(ctx, manager, stdout)
		}
		ask, verb, otherwise = manager.RestartUnitContext, "restart", "by itself within a minute"
	}
	if !now {
		fmt.Fprintf(stdout, "next: systemctl --user %s nm-session-bridge (or %s)\n", verb, otherwise)
		return nil
	}
	if err := finish(ctx, ask, systemdctl.ServiceName); err != nil {
		return fmt.Errorf("%w; %s doctor says why, as does journalctl --user -u nm-session-bridge", err, self.Command())
	}
	fmt.Fprintf(stdout, "%sed %s\n", verb, systemdctl.ServiceName)
	return reportPositions(ctx, manager, stdout)
}

// runsAnother reports whether the service runs another program than the one in a file.
// The times of the files do not show that, because mv keeps them. If a unit file was
// written, the program is another one, too, unless the user had changed the unit file.
func runsAnother(ctx context.Context, manager *systemd.Conn, program string) (bool, error) {
	pid, err := property[uint32](ctx, manager, "Service", "MainPID")
	if err != nil || pid == 0 {
		return false, err
	}
	running := fmt.Sprintf("/proc/%d/exe", pid) // also leads to a file that was replaced (proc_pid_exe(5))
	if isSameFile(running, program) {
		return false, nil // a running program's file cannot be written to
	}
	installed, err := os.ReadFile(program)
	if err != nil {
		return false, err
	}
	old, err := os.ReadFile(running)
	return err != nil || !bytes.Equal(installed, old), nil // it may have ended by now
}

func isSameFile(one, other string) bool {
	a, err := os.Stat(one)
	if err != nil {
		return false
	}
	b, err := os.Stat(other)
	return err == nil && os.SameFile(a, b)
}

func reportPositions(ctx context.Context, manager *systemd.Conn, stdout io.Writer) error {
	positions, err := property[string](ctx, manager, "Service", "StatusText")
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "now: %s\n", positions)
	return nil
}
