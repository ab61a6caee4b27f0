package installer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/self"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// outlook is what the user manager said about the places where it looks.
type outlook struct {
	environment []string // NAME=value
	units       []string // directories
}

func outlookOf(manager *systemd.Conn) (o outlook, err error) {
	if o.environment, err = texts(manager, "Environment"); err != nil {
		return o, err
	}
	o.units, err = texts(manager, "UnitPath")
	return o, err
}

// texts reads a property of the manager that is a list of strings.
func texts(manager *systemd.Conn, property string) ([]string, error) {
	written, err := manager.GetManagerProperty(property) // in the text form of a variant
	if err != nil {
		return nil, fmt.Errorf("cannot ask the user manager for its %s: %w", property, err)
	}
	list, err := dbus.ParseVariant(written, dbus.SignatureOf([]string{}))
	if err != nil {
		return nil, fmt.Errorf("cannot read the user manager's %s: %w", property, err)
	}
	values, _ := list.Value().([]string)
	return values, nil
}

// value returns a variable of the manager's environment, or "".
func (o outlook) value(name string) string {
	for _, variable := range o.environment {
		if value, found := strings.CutPrefix(variable, name+"="); found {
			return value
		}
	}
	return ""
}

// checkHome returns an error if the manager's home, which is %h in units, is not ours. The
// arguments are those of the command to repeat.
func (o outlook) checkHome(home, arguments string) error {
	theirs := o.value("HOME")
	if theirs == "" || resolved(theirs) == resolved(home) {
		return nil
	}
	return fmt.Errorf("the user manager looks for the program and its units in %s, which is its home (%%h), but HOME is %s: repeat this as env %s %s %s",
		theirs, home, systemdctl.Quote("HOME="+theirs), self.Command(), arguments)
}

// checkUnits returns an error if the manager does not look for units in a directory that
// comes from a variable of the XDG base directory specification.
func (o outlook) checkUnits(dir, variable, arguments string) error {
	if slices.ContainsFunc(o.units, func(theirs string) bool { return resolved(theirs) == resolved(dir) }) {
		return nil
	}
	if theirs := o.value(variable); theirs != "" {
		return fmt.Errorf("the user manager does not look for units in %s, because its %s is %s: repeat this as env %s %s %s",
			dir, variable, theirs, systemdctl.Quote(variable+"="+theirs), self.Command(), arguments)
	}
	return fmt.Errorf("the user manager does not look for units in %s, where %s leads: repeat this without it, as env -u %s %s %s",
		dir, variable, variable, self.Command(), arguments)
}

// checkOutlook returns an error if the manager does not look where install writes, or where
// the user's own units are. Only the latter matters for a package, whose files are elsewhere.
func (p places) checkOutlook(manager *systemd.Conn, arguments string) error {
	o, err := outlookOf(manager)
	if err == nil && !p.packaged {
		err = o.checkHome(p.home, arguments)
	}
	if err == nil && !p.packaged {
		err = o.checkUnits(p.units(), "XDG_DATA_HOME", arguments)
	}
	if err == nil {
		err = o.checkUnits(p.ownUnits(), "XDG_CONFIG_HOME", arguments)
	}
	return err
}

// resolved follows the links in a path, as far as the path exists.
func resolved(path string) string {
	for dir, rest := filepath.Clean(path), ""; ; dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest) {
		whole, err := filepath.EvalSymlinks(dir)
		if err == nil {
			return filepath.Join(whole, rest)
		}
		if dir == filepath.Dir(dir) {
			return path
		}
	}
}

// checkEnabling returns an error if the user manager could not make, or remove, the link
// that enables the service.
func (p places) checkEnabling(enable bool) error {
	link := filepath.Join(p.ownUnits(), "default.target.wants", systemdctl.ServiceName)
	dir := filepath.Dir(link)
	info, err := os.Stat(dir)
	switch isBlocked := err == nil && !info.IsDir(); {
	case isBlocked && enable:
		return fmt.Errorf("%s is no directory: move it away, then repeat this", dir)
	case isBlocked:
		return nil // nothing there enables it
	}
	_, err = os.Lstat(link)
	if isThere := !errors.Is(err, fs.ErrNotExist); isThere == enable {
		return nil
	}
	return systemdctl.CheckWritable(dir)
}

// checkMask returns an error if the user has masked the service. A mask in the place of a file
// to install is no matter: the installation knows it as the user's.
func (p places) checkMask(ctx context.Context, manager *systemd.Conn) error {
	masks, err := manager.ListUnitFilesByPatternsContext(ctx, []string{"masked", "masked-runtime"}, []string{systemdctl.ServiceName})
	if err != nil || len(masks) == 0 || filepath.Dir(masks[0].Path) == p.units() {
		return err
	}
	mask := masks[0].Path
	unmask := systemdctl.Unmask(mask, p.ownUnits())
	if unmask == "" {
		return fmt.Errorf("%s masks it: remove that, then repeat this", mask)
	}
	return fmt.Errorf("%s masks it: %s ends that; then repeat this", mask, unmask)
}
