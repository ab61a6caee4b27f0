package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
)

// furnish mounts what the namespaces need and hides the machine's own state. It runs once, in init.
// Programs and settings come from a suite's tree, if there is one.
func furnish(tree string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make mounts private: %w", err)
	}
	if tree != "" {
		if err := enterTree(tree); err != nil {
			return fmt.Errorf("cannot enter the tree of a suite: %w", err)
		}
	}
	const safe = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	kernel := []struct {
		kind, target string
		flags        uintptr
	}{
		{"proc", "/proc", safe},
		// It is read-only, by which NetworkManager recognizes a container and does not wait for udev.
		{"sysfs", "/sys", safe | unix.MS_RDONLY},
		{"cgroup2", cgroupRoot, safe},
	}
	for _, m := range kernel {
		if err := unix.Mount(m.kind, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("cannot mount %s: %w", m.target, err)
		}
	}
	if err := mountTmpfs("/run", "mode=755"); err != nil {
		return err
	}
	if err := mountTmpfs("/dev/shm", "mode=1777"); err != nil {
		return err
	}
	// Only services that the sandbox itself starts may answer on its system bus.
	for _, services := range []string{
		"/usr/share/dbus-1/system-services",
		"/usr/local/share/dbus-1/system-services",
		"/lib/dbus-1/system-services",
	} {
		if err := mountTmpfs(services, "mode=755"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := furnishHome(); err != nil {
		return err
	}
	return furnishEtc()
}

func mountTmpfs(target, options string) error {
	if err := unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("cannot mount a tmpfs on %s: %w", target, err)
	}
	return nil
}

// furnishHome puts the user's empty home beside the real ones, which stay because the repository, the Go
// caches or the program itself may lie there. Their permissions keep the sandbox's user out.
func furnishHome() error {
	const stage = "/run/home"
	if err := os.Mkdir(stage, 0o755); err != nil {
		return err
	}
	if err := mountTmpfs(stage, "mode=755"); err != nil {
		return err
	}
	entries, err := os.ReadDir("/home")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		from, to := filepath.Join("/home", entry.Name()), filepath.Join(stage, entry.Name())
		if entry.Name() == User || !entry.IsDir() {
			continue
		}
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("cannot bind %s: %w", from, err)
		}
	}
	if err := os.Mkdir(filepath.Join(stage, User), 0o700); err != nil {
		return err
	}
	if err := unix.Mount(stage, "/home", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("cannot mount /home: %w", err)
	}
	return nil
}

// furnishEtc puts a writable layer over /etc and makes the necessary changes there.
func furnishEtc() error {
	for _, layer := range []string{"/run/etc/upper", "/run/etc/work"} {
		if err := os.MkdirAll(layer, 0o755); err != nil {
			return err
		}
	}
	layers := "lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work"
	if err := unix.Mount("overlay", "/etc", "overlay", 0, layers); err != nil {
		return fmt.Errorf("cannot lay a writable layer over /etc: %w", err)
	}
	if err := addUser(); err != nil {
		return err
	}
	// Ours, so that journalctl and NetworkManager find no state of the real machine.
	if err := os.WriteFile("/etc/machine-id", []byte("6e6d2d73657373696f6e2d6272696467\n"), 0o444); err != nil {
		return err
	}
	if err := os.WriteFile("/etc/hostname", []byte(hostname+"\n"), 0o644); err != nil {
		return err
	}
	// sudo looks the name up, and no DNS server answers here.
	if err := os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 "+hostname+"\n"), 0o644); err != nil {
		return err
	}
	if err := admitStandIns(); err != nil {
		return err
	}
	if err := maskGenerators(); err != nil {
		return err
	}
	return dropEnabledUserUnits()
}

// admitStandIns allows the stand-ins for daemons on the system bus, and announces the fake VPN to
// NetworkManager.
func admitStandIns() error {
	if err := os.MkdirAll("/etc/NetworkManager/VPN", 0o755); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"/etc/dbus-1/system.d/sandbox-upower.conf": fakes.UPowerPolicy,
		"/etc/dbus-1/system.d/sandbox-vpn.conf":    fakes.VPNPolicy,
		"/etc/NetworkManager/VPN/sandbox.name":     fakes.VPNInfo,
	} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// maskGenerators masks the generators of other packages than systemd's, and the one for a desktop's autostart
// files, which nothing here has. The user manager runs them whenever it starts or reloads; gpg-agent's alone
// starts seven programs.
func maskGenerators() error {
	for _, kind := range []string{"user-generators", "user-environment-generators"} {
		generators, err := os.ReadDir(filepath.Join("/usr/lib/systemd", kind))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		masks := filepath.Join("/etc/systemd", kind)
		if err := os.MkdirAll(masks, 0o755); err != nil {
			return err
		}
		for _, generator := range generators {
			name := generator.Name()
			if strings.Contains(name, "systemd-") && name != "systemd-xdg-autostart-generator" {
				continue
			}
			if err := os.Symlink("/dev/null", filepath.Join(masks, name)); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	}
	return nil
}

// dropEnabledUserUnits removes the links of units that the administrator enabled for every user,
// which would start much of a desktop. It keeps the link that decides which bus is dbus.service.
func dropEnabledUserUnits() error {
	const units = "/etc/systemd/user"
	entries, err := os.ReadDir(units)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "dbus") {
			continue
		}
		if err := os.RemoveAll(filepath.Join(units, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// mountState gives one sandbox fresh state on top of what furnish made. unmountState undoes it.
func mountState() error {
	for _, m := range stateMounts() {
		if err := mountTmpfs(m.target, m.options); err != nil {
			return join(err, unmountState())
		}
	}
	return nil
}

func unmountState() error {
	var failed []error
	for _, m := range stateMounts() {
		// The unmount is lazy because the caller's directory may be in one of them. A mount that was
		// never made gives EINVAL.
		err := unix.Unmount(m.target, unix.MNT_DETACH)
		if err != nil && !errors.Is(err, unix.EINVAL) {
			failed = append(failed, fmt.Errorf("cannot unmount %s: %w", m.target, err))
		}
	}
	return join(failed...)
}

type stateMount struct{ target, options string }

func stateMounts() []stateMount {
	return []stateMount{
		{"/run", "mode=755"},
		{"/var/log", "mode=755"},
		{"/var/lib/NetworkManager", "mode=700"},
		{Home, fmt.Sprintf("mode=700,uid=%d,gid=%d", UID, UID)},
	}
}
