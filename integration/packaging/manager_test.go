package packaging

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
)

const (
	// record has a line for each call of the stand-in.
	record = "/run/calls"
	// private is where libsystemd looks for a user's manager. It and the bus are in a
	// directory that the user owns.
	private       = "/run/user/1000/systemd/private"
	sessionBus    = "/run/user/1000/bus"
	realSystemctl = "/usr/bin/systemctl.real"
	// poison is in each answer of the user's manager.
	poison = "evil.example"
)

// answers are what a user's manager may answer to any question. The last one never ends.
func answers() []string {
	const file = "FragmentPath=/usr/lib/systemd/user/"
	return []string{
		file + "x.target --system --host=" + poison + " ssh.service\n",
		file + "--host=" + poison + "\n" + file + "-H" + poison + "\n\n",
		file + "*\n" + file + "[a-z]* ; ssh " + poison + "\n" + file + "$(ssh " + poison + ")\n",
		strings.Repeat(file+"a"+poison+".target\n", 100_000),
		file + poison,
	}
}

// evilManager is the manager of a user who tries to deceive root.
type evilManager struct {
	asked atomic.Int64
}

// admit puts such a manager into a root.
func (r *root) admit() *evilManager {
	r.Helper()
	m := &evilManager{}
	for _, socket := range []string{private, sessionBus} {
		r.must(os.MkdirAll(filepath.Dir(r.path(socket)), 0o755))
		listener, err := net.Listen("unix", r.path(socket))
		r.must(err)
		r.Cleanup(func() { listener.Close() })
		go m.serve(listener)
	}
	r.must(os.Rename(r.path("/usr/bin/systemctl"), r.path(realSystemctl)))
	r.take("/proc/self/exe", "/usr/bin/systemctl", 0o755)
	return m
}

func (m *evilManager) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed
		}
		turn := int(m.asked.Add(1)) - 1
		go func() {
			_, _ = io.WriteString(conn, answers()[min(turn, len(answers())-1)]) // the caller may have gone
			if turn < len(answers())-1 {
				conn.Close()
			}
		}()
	}
}

// calls returns the record of the stand-in.
func (r *root) calls() string {
	r.Helper()
	content, err := os.ReadFile(r.path(record))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.Fatal(err)
	}
	return string(content)
}

// standIn is systemctl on a machine where somebody is logged in. It prints what a user's
// manager says, and leaves everything else to the real one.
func standIn(args []string) int {
	file, err := os.OpenFile(record, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintf(file, "%q\n", args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	switch {
	case slices.Contains(args, "list-units"):
		fmt.Println("user@1000.service loaded active running User Manager for UID 1000")
	case slices.Contains(args, "--machine"), slices.Contains(args, "--user"):
		conn, err := net.Dial("unix", private)
		if err == nil {
			_, err = io.Copy(os.Stdout, conn)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	default:
		err := syscall.Exec(realSystemctl, append([]string{"systemctl"}, args...), os.Environ())
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
