package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bound"
	"github.com/nm-session-bridge/nm-session-bridge/integration/cache"
	"github.com/nm-session-bridge/nm-session-bridge/integration/needs"
)

// Suites lists the Debian suites whose programs a sandbox can use on any machine.
func Suites() []string {
	return []string{
		"bookworm", // systemd 252, NetworkManager 1.42
		"trixie",   // systemd 257, NetworkManager 1.52
		"forky",    // systemd 262, NetworkManager 1.58
	}
}

// brokerSuite is the suite that uses dbus-broker for both buses here.
const brokerSuite = "forky"

// openTree returns the directory in which a suite's packages are unpacked. It fetches and unpacks
// them if the cache does not have them, and says so on told.
func openTree(ctx context.Context, suite string, told io.Writer) (dir string, release func(), err error) {
	if !slices.Contains(Suites(), suite) {
		return "", nil, fmt.Errorf("the suite is %q, not one of: %s", suite, strings.Join(Suites(), ", "))
	}
	parent, err := cache.Dir("suites")
	if err != nil {
		return "", nil, err
	}
	recipe := treeRecipe(suite)
	tree := cache.Entry{
		Parent: parent, Name: suite, Recipe: []byte(strings.Join(recipe, "\n")),
		Make: func(ctx context.Context, dir string) error {
			return unpack(ctx, suite, append(recipe, suite, dir), told)
		},
	}
	dir, release, err = tree.Open(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("cannot unpack Debian's packages of %s: %w", suite, err)
	}
	return dir, release, nil
}

// treeRecipe returns a command that lacks only the suite and the directory.
func treeRecipe(suite string) []string {
	var packages []string
	for _, p := range slices.Concat(needs.Sandbox(), needs.Inside(), []needs.Package{needs.Broker()}) {
		packages = append(packages, p.Apt)
	}
	recipe := []string{
		"mmdebstrap", "--mode=root", "--variant=minbase", "--include=" + strings.Join(packages, ","),
		// A mirror may keep a suite's Release file longer than it is valid.
		`--aptopt=Acquire::Check-Valid-Until "false"`,
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/lib/udev/hwdb.d/*",
	}
	if suite != brokerSuite {
		recipe = append(recipe, `--customize-hook=rm -f "$1"/etc/systemd/user/dbus.service "$1"/etc/systemd/system/dbus.service`)
	}
	return recipe
}

func unpack(ctx context.Context, suite string, recipe []string, told io.Writer) error {
	if err := needs.Check(needs.Debian()); err != nil {
		return err
	}
	fmt.Fprintf(told, "suite %s: fetching and unpacking Debian's packages, about half a minute the first time\n", suite)
	cmd := bound.Isolated(ctx, recipe...)
	printed, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	var said []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(printed); lines.Scan(); {
			said = append(said, lines.Text())
			if step, isStep := strings.CutPrefix(lines.Text(), "I: "); isStep {
				fmt.Fprintf(told, "suite %s: %s\n", suite, step)
			}
		}
	}()
	err = bound.Run(cmd)
	<-done
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.Join(said, "\n"))
	}
	return nil
}

// enterTree changes the root to the machine's directories, with a tree's programs and settings in
// place of the machine's.
func enterTree(tree string) error {
	root := filepath.Join(tree, "mnt") // an empty directory; only this process sees what is mounted there
	if err := unix.Mount("tmpfs", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("cannot mount a tmpfs on %s: %w", root, err)
	}
	// Otherwise the machine's directory that contains it would appear inside it.
	if err := unix.Mount("", root, "", unix.MS_UNBINDABLE, ""); err != nil {
		return err
	}
	if err := takeOver(root, tree, isOfSuite, unix.MS_RDONLY); err != nil {
		return err
	}
	if err := takeOver(root, "/", func(os.DirEntry) bool { return true }, 0); err != nil {
		return err
	}
	if err := unix.Mount("/var/tmp", filepath.Join(root, "var/tmp"), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cannot bind /var/tmp: %w", err)
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	// pivot_root(2): with both arguments the same, the old root lies on the new one until it is unmounted.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("cannot make %s the root: %w", root, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("cannot unmount the machine's root: %w", err)
	}
	return os.Chdir("/")
}

// isOfSuite reports whether an entry of the root comes from the suite. All others, such as homes
// and permanent mounts, stay.
func isOfSuite(entry os.DirEntry) bool {
	return entry.Type() == os.ModeSymlink || slices.Contains([]string{"etc", "usr", "var"}, entry.Name())
}

// takeOver makes the chosen entries of an old root visible in a new one, unless the new one has
// them already.
func takeOver(root, from string, chosen func(os.DirEntry) bool, flags uintptr) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		old, shown := filepath.Join(from, entry.Name()), filepath.Join(root, entry.Name())
		if _, err := os.Lstat(shown); err == nil || !chosen(entry) {
			continue
		}
		switch {
		case entry.Type() == os.ModeSymlink:
			target, err := os.Readlink(old)
			if err := errors.Join(err, os.Symlink(target, shown)); err != nil {
				return err
			}
		case entry.IsDir():
			if err := bind(old, shown, flags); err != nil {
				return err
			}
		}
	}
	return nil
}

func bind(from, to string, flags uintptr) error {
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("cannot bind %s: %w", from, err)
	}
	if flags == 0 {
		return nil
	}
	if err := unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|flags, ""); err != nil {
		return fmt.Errorf("protect %s: %w", from, err)
	}
	return nil
}
