package main

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bound"
	"github.com/nm-session-bridge/nm-session-bridge/integration/cache"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
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

// machine is a fresh copy of a bare Debian. A suite has one at a time.
type machine struct {
	root  string
	group string // its control group, of version 2
	lock  *os.File
}

func openMachine(ctx context.Context, suite string) (*machine, error) {
	machines, err := cache.Dir("machines")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(machines, 0o755); err != nil {
		return nil, err
	}
	hierarchy, err := exec.CommandContext(ctx, "findmnt", "--noheadings", "--first-only", "--output=TARGET", "--types=cgroup2").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot find the control groups of version 2: %w", err)
	}
	m := &machine{
		root:  filepath.Join(machines, suite),
		group: filepath.Join(strings.TrimSpace(string(hierarchy)), "nm-session-bridge-bare-"+suite),
	}
	if m.lock, err = cache.Lock(ctx, m.root+".lock"); err != nil {
		return nil, err
	}
	if err := m.open(ctx, suite); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *machine) open(ctx context.Context, suite string) error {
	if err := m.clear(); err != nil { // from a run that was killed
		return err
	}
	for _, dir := range []string{m.root, m.group} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := m.unpack(ctx, suite); err != nil {
		return err
	}
	if err := m.inherit(); err != nil {
		return err
	}
	return m.connect()
}

// unpack fills the root with a Debian that the cache keeps for the next time.
func (m *machine) unpack(ctx context.Context, suite string) error {
	const packed = "root.tar"
	kept, err := cache.Dir("bare")
	if err != nil {
		return err
	}
	base := cache.Entry{
		Parent: kept, Name: suite, Recipe: []byte(baseScript),
		Make: func(ctx context.Context, dir string) error {
			fmt.Printf("bare %s: fetching and unpacking Debian's packages, about half a minute the first time\n", suite)
			if err := os.Mkdir(dir, 0o755); err != nil {
				return err
			}
			return bound.Run(printing(bound.Isolated(ctx, "/bin/sh", "-c", baseScript, "base.sh", suite, filepath.Join(dir, packed))))
		},
	}
	dir, release, err := base.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	return bound.Run(printing(exec.CommandContext(ctx, "tar", "--extract", "--numeric-owner", "--directory", m.root, "--file", filepath.Join(dir, packed))))
}

// connect gives the machine access to the network around it.
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
	if err := bound.Run(printing(exec.Command("cp", "--archive", clone, to))); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, number, number)
	})
}

// run makes the user's shell run a script, and prints its lines as they come.
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
	cmd := printing(exec.CommandContext(ctx, "unshare", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child", "--",
		"/bin/sh", "-c", enterScript, "enter.sh", m.root,
		"/bin/sh", "-c", "update-ca-certificates >/dev/null; su --login "+user+" --command='bash -ev "+file+"'"))
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb"}
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	err = bound.Run(cmd)
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended // without the script's text, which the command holds
	}
	return err
}

// printing makes a command print to this program's outputs.
func printing(cmd *exec.Cmd) *exec.Cmd {
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

func (m *machine) close() error {
	return errors.Join(m.clear(), m.lock.Close())
}

// clear ends what still runs in the machine, and removes its files.
func (m *machine) clear() error {
	if err := sandbox.RemoveCgroup(m.group); err != nil {
		return err
	}
	if err := m.bequeath(); err != nil {
		return err
	}
	return os.RemoveAll(m.root)
}
