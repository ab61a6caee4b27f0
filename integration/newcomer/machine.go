package main

import (
	"context"
	"crypto/sha256"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

//go:embed base.sh
var baseScript string

//go:embed enter.sh
var enterScript string

// base.sh gives the user this name and number.
const (
	user   = "newcomer"
	number = 1000
)

// machine is a fresh copy of a bare Debian. There is one of a suite at a time.
type machine struct {
	root  string
	group string // its control group, of version 2
	lock  *os.File
}

func openMachine(ctx context.Context, suite string) (*machine, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "nm-session-bridge", "bare")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	hierarchy, err := exec.CommandContext(ctx, "findmnt", "--noheadings", "--first-only", "--output=TARGET", "--types=cgroup2").Output()
	if err != nil {
		return nil, fmt.Errorf("find the control groups of version 2: %w", err)
	}
	m := &machine{
		root:  filepath.Join(dir, suite),
		group: filepath.Join(strings.TrimSpace(string(hierarchy)), "nm-session-bridge-bare-"+suite),
	}
	if m.lock, err = os.Create(m.root + ".lock"); err != nil {
		return nil, err
	}
	if err := unix.Flock(int(m.lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, err
	}
	if err := m.open(ctx, suite); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *machine) open(ctx context.Context, suite string) error {
	packed, err := provideBase(ctx, suite, m.root)
	if err != nil {
		return err
	}
	if err := m.clear(); err != nil { // of a run that was killed
		return err
	}
	for _, dir := range []string{m.root, m.group} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := bound(ctx, "tar", "--extract", "--numeric-owner", "--directory", m.root, "--file", packed).Run(); err != nil {
		return fmt.Errorf("unpack %s: %w", packed, err)
	}
	return m.connect()
}

// provideBase returns the packed Debian that the machines begin with. It is made
// anew when its recipe has changed.
func provideBase(ctx context.Context, suite, prefix string) (string, error) {
	recipe := sha256.Sum256([]byte(baseScript))
	packed := fmt.Sprintf("%s-%x.tar", prefix, recipe[:8])
	if _, err := os.Stat(packed); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return packed, err
	}
	older, err := filepath.Glob(prefix + "-*.tar")
	if err != nil {
		return "", err
	}
	for _, path := range older {
		if err := os.Remove(path); err != nil {
			return "", err
		}
	}
	fmt.Printf("making a bare %s of Debian's packages, 200 MB to fetch, once: %s\n", suite, packed)
	unfinished := prefix + "-unfinished.tar"
	cmd := bound(ctx, "unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child", "--",
		"/bin/sh", "-c", baseScript, "base.sh", suite, unfinished)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("mmdebstrap: %w", err)
	}
	return packed, os.Rename(unfinished, packed)
}

// connect tells the machine of the network around it.
func (m *machine) connect() error {
	const authorities = "/usr/local/share/ca-certificates"
	for _, file := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if file == "/etc/hosts" {
			content = append(content, "127.0.1.1 bare\n"...)
		}
		if err := os.WriteFile(m.root+file, content, 0o644); err != nil {
			return err
		}
	}
	if err := os.CopyFS(m.root+authorities, os.DirFS(authorities)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var environment strings.Builder
	for _, variable := range []string{
		"http_proxy", "https_proxy", "no_proxy",
		"GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE",
	} {
		if value := os.Getenv(variable); value != "" {
			fmt.Fprintf(&environment, "%s=%s\n", variable, value)
		}
	}
	return os.WriteFile(m.root+"/etc/environment", []byte(environment.String()), 0o644)
}

// receive copies a clone into the user's home.
func (m *machine) receive(clone string) error {
	to := filepath.Join(m.root, "home", user, filepath.Base(clone))
	if out, err := exec.Command("cp", "--archive", clone, to).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return filepath.WalkDir(to, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, number, number)
	})
}

// run has the user's shell run a script, and prints the lines as they come.
func (m *machine) run(ctx context.Context, script string) error {
	const file = "/tmp/session"
	if err := os.WriteFile(m.root+file, []byte(script), 0o644); err != nil {
		return err
	}
	group, err := os.Open(m.group)
	if err != nil {
		return err
	}
	defer group.Close()
	cmd := bound(ctx, "unshare", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child", "--",
		"/bin/sh", "-c", enterScript, "enter.sh", m.root,
		"/bin/sh", "-c", "update-ca-certificates >/dev/null; su --login "+user+" --command='bash -ev "+file+"'")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb"}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(group.Fd())
	return cmd.Run()
}

// bound returns a command whose output is ours and that ends with us.
func bound(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (m *machine) close() error {
	return errors.Join(m.clear(), m.lock.Close())
}

// clear removes the files and the control groups.
func (m *machine) clear() error {
	var groups []string
	err := filepath.WalkDir(m.group, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, group := range slices.Backward(groups) {
		if err := unix.Rmdir(group); err != nil {
			return fmt.Errorf("remove the control group %s: %w", group, err)
		}
	}
	return os.RemoveAll(m.root)
}
