package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/overrides"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// jobTimeout bounds a job of the user manager that install waits for. The
// service is ready within moments; a target stops when its units have.
const jobTimeout = 2 * time.Minute

func installCommand() command {
	return command{
		name:     "install",
		summary:  "install program, service and targets for this user",
		examples: []example{{"install --now", "install, or upgrade, and start the service"}},
		prepare: func(flags *flag.FlagSet) action {
			var options installOptions
			flags.BoolVar(&options.now, "now", false, "start the service, or restart it if it runs an older version")
			flags.BoolVar(&options.force, "force", false, "replace files that were changed since they were installed; the changed file is kept with a ~ behind its name")
			return func(ctx context.Context, out output, _ []string) error {
				return install(ctx, options, out.stdout)
			}
		},
	}
}

func uninstallCommand() command {
	return command{
		name:    "uninstall",
		summary: "take away what install wrote",
		prepare: func(flags *flag.FlagSet) action {
			var options uninstallOptions
			flags.BoolVar(&options.force, "force", false, "remove installed files even where they were changed")
			return func(ctx context.Context, out output, _ []string) error {
				return uninstall(ctx, options, out.stdout)
			}
		},
	}
}

// installOptions are the flags of install.
type installOptions struct {
	now, force bool
}

// uninstallOptions are the flags of uninstall.
type uninstallOptions struct {
	force bool
}

// install puts program and units in place and enables the service. The program
// of a package has its files in place already.
func install(ctx context.Context, options installOptions, stdout io.Writer) error {
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
	written, err := write(p, options.force, stdout)
	if err != nil {
		return err
	}
	// Also where nothing was written now: an install that was broken off did not get here.
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
	return bringUp(ctx, manager, p, options.now, stdout)
}

// write puts the files in place, unless a package has, and tells whether there
// was anything to do.
func write(p places, force bool, stdout io.Writer) (bool, error) {
	installation, err := systemdctl.OpenInstallation(p.record())
	if err != nil {
		return false, err
	}
	if p.packaged {
		if !installation.Empty() {
			return false, fmt.Errorf("an earlier install wrote files below %s that win over this package's: take them away with nm-session-bridge uninstall, and repeat this", p.data)
		}
		return false, nil
	}
	files, err := p.files()
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

// bringUp starts the service, or restarts one that is older than its files, if
// it is to, and otherwise says how.
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
			return tellPositions(ctx, manager, stdout)
		}
		ask, verb = manager.RestartUnitContext, "restart"
	}
	if !now {
		fmt.Fprintf(stdout, "next: systemctl --user %s nm-session-bridge (or at the next login)\n", verb)
		return nil
	}
	if err := finish(ctx, ask, systemdctl.ServiceName); err != nil {
		return fmt.Errorf("%w; see journalctl --user -u nm-session-bridge", err)
	}
	fmt.Fprintf(stdout, "%sed %s\n", verb, systemdctl.ServiceName)
	return tellPositions(ctx, manager, stdout)
}

// isOutdated tells whether the service was started before its program or its
// unit file was last written.
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

func tellPositions(ctx context.Context, manager *systemd.Conn, stdout io.Writer) error {
	positions, err := property[string](ctx, manager, "Service", "StatusText")
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "now: %s\n", positions)
	return nil
}

// uninstall takes away what install wrote.
func uninstall(ctx context.Context, options uninstallOptions, stdout io.Writer) error {
	p, err := userPlaces()
	if err != nil {
		return err
	}
	installation, err := systemdctl.OpenInstallation(p.record())
	if err != nil {
		return err
	}
	if installation.Empty() && !p.packaged {
		fmt.Fprintln(stdout, "nothing is installed")
		return nil
	}
	manager, err := connect(ctx)
	if err != nil {
		return err
	}
	defer manager.Close()
	ours := managed(observers.Table(observers.Policy{}))
	units := append([]string{systemdctl.ServiceName}, ours.Targets...)
	if err := takeDown(ctx, manager, units, ours.Patterns, stdout); err != nil {
		return err
	}
	if installation.Empty() {
		fmt.Fprintln(stdout, "the files are a package's: remove that with your package manager")
		return nil
	}
	removed, left, err := installation.Remove(options.force)
	for _, path := range removed {
		fmt.Fprintf(stdout, "removed %s\n", path)
	}
	for _, path := range left {
		fmt.Fprintf(stdout, "left %s: it was changed since install wrote it (--force removes it)\n", path)
	}
	if failed := systemdctl.Reload(ctx, manager); err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	p.removeEmpty(append(removed, p.record()))
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		if err := overrides.In(dir).Forget(); err != nil {
			return err
		}
	}
	return tellLeftovers(p, append(units, ours.Patterns...), stdout)
}

// takeDown disables the service and stops the units that are active, and those
// that patterns match.
func takeDown(ctx context.Context, manager *systemd.Conn, units, patterns []string, stdout io.Writer) error {
	if err := systemdctl.Disable(ctx, manager, systemdctl.ServiceName); err != nil {
		return err
	}
	states, err := manager.ListUnitsByNamesContext(ctx, units)
	if err == nil {
		err = stopActive(ctx, manager, states, stdout)
	}
	if err != nil {
		return err
	}
	// Nobody starts further ones now that the service has stopped.
	states, err = manager.ListUnitsByPatternsContext(ctx, nil, patterns)
	if err != nil {
		return err
	}
	return stopActive(ctx, manager, states, stdout)
}

func stopActive(ctx context.Context, manager *systemd.Conn, units []systemd.UnitStatus, stdout io.Writer) error {
	for _, unit := range units {
		if unit.ActiveState == "inactive" || unit.ActiveState == "failed" {
			continue
		}
		if err := finish(ctx, manager.StopUnitContext, unit.Name); err != nil && !isNotLoaded(err) {
			return err
		}
		fmt.Fprintf(stdout, "stopped %s\n", unit.Name)
	}
	return nil
}

// tellLeftovers names what the user has of the units that are gone: links of
// enabled units, drop-ins, units of the same name.
func tellLeftovers(p places, units []string, stdout io.Writer) error {
	for _, unit := range units {
		for _, pattern := range []string{unit, unit + ".d", unit + ".wants/*", unit + ".requires/*", unit + ".upholds/*"} {
			paths, err := filepath.Glob(filepath.Join(p.ownUnits(), pattern))
			if err != nil {
				return err
			}
			words := "it is yours, and of no use without the bridge"
			for _, path := range paths {
				if strings.HasSuffix(pattern, "/*") {
					words = "nothing starts this unit of yours there any more; rm '" + path + "' takes the link away"
				}
				fmt.Fprintf(stdout, "left %s: %s\n", path, words)
			}
		}
	}
	return nil
}

// connect reaches the user manager over the session bus.
func connect(ctx context.Context) (*systemd.Conn, error) {
	address, err := bus.SessionAddress()
	if err != nil {
		return nil, err
	}
	// go-systemd asks for two connections that it does not share.
	manager, err := systemd.NewConnection(func() (*dbus.Conn, error) {
		return dbus.Connect(address, dbus.WithContext(ctx))
	})
	if err != nil {
		return nil, fmt.Errorf("cannot reach the session bus at %s: %w; run this in a session of the user whose programs it is to start and stop", address, err)
	}
	// The ends of jobs are only signalled to a connection that subscribed.
	if err := manager.Subscribe(); err != nil {
		manager.Close()
		return nil, fmt.Errorf("there is no systemd user manager on the session bus: %w; see loginctl user-status", err)
	}
	return manager, nil
}

// finish asks for a job and waits for its end.
func finish(ctx context.Context, ask func(context.Context, string, string, chan<- string) (int, error), unit string) error {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	result := make(chan string, 1) // go-systemd sends to it while it holds a lock
	if _, err := ask(ctx, unit, "replace", result); err != nil {
		return fmt.Errorf("%s: %w", unit, err)
	}
	select {
	case r := <-result:
		if r != "done" {
			return fmt.Errorf("%s: the job ended with result %s", unit, r)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: waiting for its job: %w", unit, ctx.Err())
	}
}

func isNotLoaded(err error) bool {
	var refusal dbus.Error
	return errors.As(err, &refusal) && slices.Contains([]string{
		systemdctl.ManagerName + ".NoSuchUnit",
		systemdctl.ManagerName + ".UnitMasked",
	}, refusal.Name)
}

// property reads a property of the bridge's own service.
func property[T any](ctx context.Context, manager *systemd.Conn, unitType, name string) (T, error) {
	var value T
	p, err := manager.GetUnitTypePropertyContext(ctx, systemdctl.ServiceName, unitType, name)
	if err == nil {
		err = p.Value.Store(&value)
	}
	if err != nil {
		return value, fmt.Errorf("reading %s of %s: %w", name, systemdctl.ServiceName, err)
	}
	return value, nil
}
