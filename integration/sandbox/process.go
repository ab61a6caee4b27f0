package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// ErrNotRunning is returned by calls that need a daemon that was not started or has ended.
var ErrNotRunning = errors.New("not running")

// daemon is a running program of the sandbox.
type daemon struct {
	name string
	cmd  *exec.Cmd
	log  string        // the file that holds what it printed
	done chan struct{} // closed when it has ended
}

// start starts a daemon in its own cgroup. What it prints goes to <name>.log in the log directory, and its
// standard error also to cmd.Stderr if that is set. It runs as root unless cmd says otherwise.
func (sb *Sandbox) start(name, group string, cmd *exec.Cmd) (*daemon, error) {
	log := filepath.Join(sb.logDir, name+".log")
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	made, err := makeCgroup(group)
	if err != nil {
		return nil, join(err, out.Close())
	}
	dir, err := made.open()
	if err != nil {
		return nil, join(err, out.Close())
	}
	defer dir.Close()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.UseCgroupFD = true
	cmd.SysProcAttr.CgroupFD = int(dir.Fd())
	cmd.SysProcAttr.Setsid = true
	cmd.Stdout = out
	if cmd.Stderr == nil {
		cmd.Stderr = out
	} else {
		cmd.Stderr = io.MultiWriter(out, cmd.Stderr)
	}
	if cmd.Env == nil {
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	}
	if err := cmd.Start(); err != nil {
		return nil, join(fmt.Errorf("cannot start %s: %w", name, err), out.Close())
	}
	d := &daemon{name: name, cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the state is kept in cmd
		out.Close()
		close(d.done)
	}()
	return d, nil
}

func (d *daemon) running() bool {
	if d == nil {
		return false
	}
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

func (d *daemon) signal(s syscall.Signal) error {
	if !d.running() {
		return ErrNotRunning
	}
	return d.cmd.Process.Signal(s)
}

// stop sends a signal and waits for the daemon's end. If the daemon is not running, it does
// nothing.
func (d *daemon) stop(ctx context.Context, s syscall.Signal) error {
	if !d.running() {
		return nil
	}
	if err := d.signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot send %v to %s: %w", s, d.name, err)
	}
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %s to end on %v: %w", d.name, s, ctx.Err())
	}
}

// await waits for a daemon's sign of readiness. The sign is an error, or nil if the daemon is
// ready.
func (d *daemon) await(ctx context.Context, ready <-chan error) error {
	var err error
	select {
	case err = <-ready:
	case <-d.done:
		err = errors.New(d.cmd.ProcessState.String())
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s did not come up: %w; it last said %q (log: %s)", d.name, err, d.lastWords(), d.log)
	}
	return nil
}

func (d *daemon) lastWords() string {
	content, err := os.ReadFile(d.log)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return lines[len(lines)-1]
}

// phrase is a writer that waits for words in a daemon's output.
type phrase struct {
	words string
	seen  chan error
	once  sync.Once
}

func newPhrase(words string) *phrase {
	return &phrase{words: words, seen: make(chan error, 1)}
}

// Write searches each write separately, because daemons write whole lines.
func (p *phrase) Write(text []byte) (int, error) {
	if bytes.Contains(text, []byte(p.words)) {
		p.once.Do(func() { p.seen <- nil })
	}
	return len(text), nil
}

// startNotifying starts a daemon and returns when it says with sd_notify(3) that it is ready. It
// also receives later messages, because some daemons end if nobody does.
func (sb *Sandbox) startNotifying(ctx context.Context, name, group string, cmd *exec.Cmd) (*daemon, error) {
	notify, err := newNotifySocket()
	if err != nil {
		return nil, err
	}
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+notify.conn.LocalAddr().String())
	d, err := sb.start(name, group, cmd)
	if err != nil {
		return nil, join(err, notify.conn.Close())
	}
	go func() {
		<-d.done
		notify.conn.Close()
	}()
	return d, d.await(ctx, notify.ready)
}

// notifySocket receives the messages of sd_notify(3).
type notifySocket struct {
	conn  *net.UnixConn
	ready chan error
}

// newNotifySocket makes a socket that any user of the sandbox can send to.
func newNotifySocket() (*notifySocket, error) {
	// The kernel names it in the abstract namespace, which belongs to the network namespace and has no
	// permissions.
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	n := &notifySocket{conn: conn, ready: make(chan error, 1)}
	go n.receive()
	return n, nil
}

// receive takes messages until the socket is closed.
func (n *notifySocket) receive() {
	var once sync.Once
	tell := func(err error) { once.Do(func() { n.ready <- err }) }
	message := make([]byte, 4096)
	for {
		size, err := n.conn.Read(message)
		if err != nil {
			tell(err)
			return
		}
		for _, line := range strings.Split(string(message[:size]), "\n") {
			if line == "READY=1" {
				tell(nil)
			}
		}
	}
}

// output runs a command and returns what it printed, trimmed. The error of a failed run contains
// it, too.
func output(cmd *exec.Cmd) (string, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	text := strings.TrimSpace(out.String())
	if err != nil {
		return text, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.ReplaceAll(text, "\n", "; "))
	}
	return text, nil
}
