package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroup is the directory of a version 2 control group.
type cgroup string

// cgroupRoot is where the sandbox's own hierarchy is mounted inside.
const cgroupRoot = "/sys/fs/cgroup"

// newOuterCgroup makes the cgroup that will be the root of the sandbox's cgroup namespace.
func newOuterCgroup() (cgroup, error) {
	root, err := outerCgroupRoot()
	if err != nil {
		return "", err
	}
	// The process ID alone would not do: a sandbox that was killed leaves its cgroup, and a
	// later one may have its ID.
	group, err := os.MkdirTemp(root, fmt.Sprintf("nm-session-bridge-sandbox-%d-", os.Getpid()))
	if err == nil {
		err = os.Chmod(group, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("cannot make a cgroup: %w", err)
	}
	return cgroup(group), nil
}

// outerCgroupRoot finds the version 2 hierarchy, which systemd's hybrid layout mounts beside version 1.
func outerCgroupRoot() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(mounts), "\n") {
		// proc(5): the fifth field is the mount point, the first one after " - " the type.
		mount, kind, ok := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		if ok && len(fields) > 4 && strings.HasPrefix(kind, "cgroup2 ") {
			return fields[4], nil
		}
	}
	return "", errors.New("no cgroup version 2 hierarchy is mounted")
}

// makeCgroup makes a cgroup inside, such as "system.slice/dbus.service".
func makeCgroup(name string) (cgroup, error) {
	group := cgroup(filepath.Join(cgroupRoot, name))
	if err := os.MkdirAll(string(group), 0o755); err != nil {
		return "", fmt.Errorf("cannot make cgroup %s: %w", name, err)
	}
	return group, nil
}

// open returns the directory for SysProcAttr.CgroupFD.
func (g cgroup) open() (*os.File, error) {
	return os.Open(string(g))
}

// delegate gives a cgroup to a user as systemd's Delegate= does.
func (g cgroup) delegate(uid, gid int) error {
	for _, name := range []string{".", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
		if err := os.Chown(filepath.Join(string(g), name), uid, gid); err != nil {
			return fmt.Errorf("cannot delegate a cgroup: %w", err)
		}
	}
	return nil
}

// kill ends every process in the cgroup and below, and returns when none is left. A missing cgroup is not an error.
func (g cgroup) kill() error {
	err := os.WriteFile(filepath.Join(string(g), "cgroup.kill"), []byte("1"), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot kill a cgroup: %w", err)
	}
	return g.waitEmpty()
}

// RemoveCgroup ends every process in a control group of version 2 and below, and removes
// the group. A missing group is not an error.
func RemoveCgroup(directory string) error {
	group := cgroup(directory)
	return join(group.kill(), group.remove())
}

// waitEmpty waits for cgroup.events to say that no process lives in the cgroup or below.
func (g cgroup) waitEmpty() error {
	const limit = 30 * time.Second // only in a broken kernel can a process outlive SIGKILL for so long
	events, err := os.Open(filepath.Join(string(g), "cgroup.events"))
	if err != nil {
		return err
	}
	defer events.Close()
	content := make([]byte, 256)
	for {
		n, err := events.ReadAt(content, 0)
		if n == 0 {
			return fmt.Errorf("cannot read %s: %w", events.Name(), err)
		}
		if strings.Contains(string(content[:n]), "populated 0") {
			return nil
		}
		wait := []unix.PollFd{{Fd: int32(events.Fd()), Events: unix.POLLPRI}}
		n, err = unix.Poll(wait, int(limit.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for %s: %w", events.Name(), err)
		case n == 0:
			return fmt.Errorf("processes in %s outlive SIGKILL", g)
		}
	}
}

// remove removes the cgroup and those below. A missing cgroup is not an error.
func (g cgroup) remove() error {
	entries, err := os.ReadDir(string(g))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := cgroup(filepath.Join(string(g), entry.Name())).remove(); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(string(g)); err != nil {
		return fmt.Errorf("cannot remove cgroup %s: %w", g, err)
	}
	return nil
}
