package installer

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/overrides"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/self"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Uninstall removes what [Install] wrote.
func Uninstall(ctx context.Context, force bool, stdout io.Writer) error {
	p, err := userPlaces()
	if err != nil {
		return err
	}
	installation, err := systemdctl.OpenInstallation(p.record())
	if err != nil {
		return err
	}
	isNothing := installation.Empty() && !p.packaged
	manager, keep, err := connect(ctx)
	if isNothing && err != nil {
		fmt.Fprintln(stdout, "nothing is installed")
		return nil
	}
	if err != nil {
		return err
	}
	defer manager.Close()
	if err := p.checkOutlook(manager, uninstallArguments(force)); err != nil {
		return err
	}
	// A link there is the user's own, such as a mask.
	unit := filepath.Join(p.units(), systemdctl.ServiceName)
	if info, err := os.Lstat(unit); isNothing && err == nil && info.Mode().IsRegular() {
		return fmt.Errorf("%s is there, but not %s, which names the files to remove: %s install writes it again, then repeat this", unit, p.record(), self.Command())
	}
	if isNothing {
		fmt.Fprintln(stdout, "nothing is installed")
		return nil
	}
	if err := p.checkEnabling(false); err != nil {
		return fmt.Errorf("cannot disable %s: %w; nothing was uninstalled", systemdctl.ServiceName, err)
	}
	if err := installation.CheckRemovable(); err != nil {
		return fmt.Errorf("%w; nothing was uninstalled", err)
	}
	if !keep() {
		return ctx.Err()
	}
	ours := observers.Table()
	units := append([]string{systemdctl.ServiceName}, ours.Targets()...)
	if err := takeDown(ctx, manager, p, units, ours.Patterns(), stdout); err != nil {
		return err
	}
	if installation.Empty() {
		fmt.Fprintf(stdout, "left %s and the units in %s, which belong to a package: your package manager can remove them; to use them again: systemctl --user enable --now %s\n",
			packagedProgram, packagedUnits, systemdctl.ServiceName)
		return nil
	}
	removed, left, err := installation.Remove(force)
	for _, path := range removed {
		fmt.Fprintf(stdout, "removed %s\n", path)
	}
	for _, path := range left {
		fmt.Fprintf(stdout, "left %s: it was changed since install wrote it (--force removes it)\n", path)
	}
	if err := systemdctl.ReloadAfter(ctx, manager, err); err != nil {
		return err
	}
	p.removeEmpty(append(removed, p.record()))
	if store, err := overrides.In(os.Getenv("XDG_RUNTIME_DIR")); err == nil { // otherwise no switch was held
		if err := store.Forget(); err != nil {
			return err
		}
	}
	if hasPackage() { // which needs what would otherwise be left over
		fmt.Fprintf(stdout, "the package's bridge is still there; to use it: systemctl --user enable --now %s\n", systemdctl.ServiceName)
		return nil
	}
	return reportLeftovers(p, append(units, ours.Patterns()...), stdout)
}

func uninstallArguments(force bool) string {
	if force {
		return "uninstall --force"
	}
	return "uninstall"
}

// takeDown disables the service and stops the active ones among the given units and those
// that match the patterns. It stops no unit that the user has a file for, and no unit that
// [systemdctl.StaysActive].
func takeDown(ctx context.Context, manager *systemd.Conn, p places, units, patterns []string, stdout io.Writer) error {
	disabled, err := systemdctl.Disable(ctx, manager, systemdctl.ServiceName)
	if err != nil {
		return err
	}
	if disabled {
		fmt.Fprintf(stdout, "disabled %s\n", systemdctl.ServiceName)
	}
	states, err := manager.ListUnitsByNamesContext(ctx, units)
	if err == nil {
		err = stopActive(ctx, manager, p, states, stdout)
	}
	if err != nil {
		return err
	}
	// The service has stopped, so nothing starts more of them.
	states, err = manager.ListUnitsByPatternsContext(ctx, nil, patterns)
	if err != nil {
		return err
	}
	return stopActive(ctx, manager, p, states, stdout)
}

func stopActive(ctx context.Context, manager *systemd.Conn, p places, units []systemd.UnitStatus, stdout io.Writer) error {
	for _, unit := range units {
		if unit.ActiveState == "inactive" || unit.ActiveState == "failed" {
			continue
		}
		isUsers, err := p.isUsers(ctx, manager, unit.Name)
		switch {
		case err != nil:
			return err
		case isUsers:
			fmt.Fprintf(stdout, "left %s active: you have a file of your own for it\n", unit.Name)
			continue
		case systemdctl.StaysActive(unit.Name):
			fmt.Fprintf(stdout, "left %s active: its end might unlock the screen\n", unit.Name)
			continue
		}
		if err := finish(ctx, manager.StopUnitContext, unit.Name); err != nil && !isNotLoaded(err) {
			return err
		}
		fmt.Fprintf(stdout, "stopped %s\n", unit.Name)
	}
	return nil
}

// isUsers reports whether a unit has a file elsewhere than where install or a package
// writes units.
func (p places) isUsers(ctx context.Context, manager *systemd.Conn, unit string) (bool, error) {
	property, err := manager.GetUnitPropertyContext(ctx, unit, "FragmentPath")
	if err != nil {
		return false, fmt.Errorf("cannot ask for the file of %s: %w", unit, err)
	}
	file, _ := property.Value.Value().(string)
	dir := filepath.Dir(file)
	return file != "" && !isSameFile(dir, p.installedUnits()) && !isSameFile(dir, packagedUnits), nil
}

// reportLeftovers names files of the user's that refer to the removed units: links of
// enabled units, drop-ins, and units of the same name. It also names files that have the
// name of a recipe's unit.
func reportLeftovers(p places, units []string, stdout io.Writer) error {
	var links []string // quoted
	for _, unit := range units {
		for _, pattern := range []string{unit, unit + ".d", unit + ".wants/*", unit + ".requires/*", unit + ".upholds/*"} {
			found, err := fs.Glob(os.DirFS(p.ownUnits()), pattern)
			if err != nil {
				return err
			}
			for _, name := range found {
				path := filepath.Join(p.ownUnits(), name)
				if strings.HasSuffix(pattern, "/*") {
					links = append(links, systemdctl.Quote(path))
					continue
				}
				fmt.Fprintf(stdout, "left %s: it is yours, and has no effect without the bridge\n", path)
			}
		}
	}
	if len(links) > 0 {
		fmt.Fprintf(stdout, "left links by which removed targets started units of yours; remove the links: rm -f %s\n", strings.Join(links, " "))
	}
	var files []string
	for _, r := range systemdctl.Recipes() {
		ofRecipe, err := r.Files(p.config)
		if err != nil {
			return err
		}
		for _, file := range ofRecipe {
			if _, err := os.Lstat(file.Path); err == nil {
				files = append(files, systemdctl.Quote(file.Path))
			}
		}
	}
	if len(files) > 0 {
		fmt.Fprintf(stdout, "left units that recipe add may have written; delete those that you no longer want: %s\n", strings.Join(files, " "))
	}
	return nil
}
