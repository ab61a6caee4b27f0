package packaging

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// root is a copy of the machine's root file system, in which a package manager works.
type root struct {
	*testing.T
	dir string
}

// newRoot makes a root that ends with the test. What is changed in it is lost.
func newRoot(t *testing.T) *root {
	t.Helper()
	layers, err := os.MkdirTemp("/run", "root-")
	r := &root{T: t, dir: filepath.Join(layers, "root")}
	r.must(err)
	for _, name := range []string{"root", "upper", "work"} {
		r.must(os.Mkdir(filepath.Join(layers, name), 0o755))
	}
	r.mount("overlay", r.dir, "overlay", 0, fmt.Sprintf("lowerdir=/,upperdir=%s/upper,workdir=%[1]s/work", layers))
	for _, dir := range []string{"/proc", "/dev"} {
		r.must(os.MkdirAll(r.path(dir), 0o755))
		r.mount(dir, r.path(dir), "", unix.MS_BIND|unix.MS_REC, "")
	}
	for _, dir := range []string{"/run", "/tmp"} {
		r.must(os.MkdirAll(r.path(dir), 0o755))
		r.mount("tmpfs", r.path(dir), "tmpfs", 0, "mode=755")
	}
	// Maintainer scripts take this for a machine that systemd has booted (sd_booted(3)).
	r.must(os.MkdirAll(r.path("/run/systemd/system"), 0o755))
	return r
}

func (r *root) mount(source, target, kind string, flags uintptr, options string) {
	r.Helper()
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		r.Fatalf("cannot mount %s on %s: %v", source, target, err)
	}
	r.Cleanup(func() {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
			r.Errorf("cannot unmount %s: %v", target, err)
		}
	})
}

func (r *root) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *root) path(name string) string { return filepath.Join(r.dir, name) }

// do runs a command in the root and returns its output, trimmed.
func (r *root) do(name string, args ...string) string {
	r.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "XDG_RUNTIME_DIR=/run", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: r.dir}
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.Fatalf("%s: %v: %s", cmd, err, out)
	}
	return strings.TrimSpace(string(out))
}

// take copies a file of the machine into the root.
func (r *root) take(file, to string, mode fs.FileMode) {
	r.Helper()
	content, err := os.ReadFile(file)
	r.must(err)
	r.must(os.WriteFile(r.path(to), content, mode))
}

func (r *root) exists(name string) bool {
	_, err := os.Lstat(r.path(name))
	return err == nil
}

// files lists the files in the root, without those that package managers keep for
// themselves.
func (r *root) files() map[string]bool {
	r.Helper()
	found := map[string]bool{}
	for _, top := range []string{"/etc", "/opt", "/srv", "/usr", "/var"} {
		err := filepath.WalkDir(r.path(top), func(path string, _ fs.DirEntry, err error) error {
			name := strings.TrimPrefix(path, r.dir)
			switch name {
			case "/var/cache", "/var/log", "/var/tmp", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/pacman", "/usr/local/go":
				return fs.SkipDir
			}
			found[name] = true
			return err
		})
		r.must(err)
	}
	return found
}
