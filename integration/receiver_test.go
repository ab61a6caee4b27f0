package integration

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const receiver = "receiver"

// beReceiver notes when each Lock and Unlock of a session arrives, if this program was
// called as the receiver. It does nothing else: no program can hear of them earlier.
func beReceiver() {
	if filepath.Base(os.Args[0]) != receiver {
		return
	}
	conn, err := dbus.ConnectSystemBus(dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	signals := make(chan *dbus.Signal, 1)
	conn.Signal(signals)
	for _, member := range []string{"Lock", "Unlock"} {
		err := conn.AddMatchSignal(dbus.WithMatchObjectPath(dbus.ObjectPath(os.Args[1])), dbus.WithMatchMember(member))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Println("listens", time.Now().UnixNano())
	for signal := range signals {
		fmt.Println(signal.Name[strings.LastIndex(signal.Name, ".")+1:], time.Now().UnixNano())
	}
	os.Exit(0)
}

// arrival is when something has arrived at the receiver.
type arrival struct {
	what string // Lock or Unlock
	at   time.Time
}

// receive starts a receiver beside the bridge, and returns when each Lock and Unlock of
// the user's session arrives there.
func (s *scene) receive() (arrived <-chan arrival) {
	s.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	s.must(err)
	path := filepath.Join("/dev/shm", receiver)
	s.must(os.WriteFile(path, self, 0o755))
	cmd := s.CommandContext(s.ctx, path, string(s.Login1.Session()))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	s.must(err)
	s.must(cmd.Start())
	s.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	all := make(chan arrival, 1)
	go func() {
		defer close(all)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			what, at, _ := strings.Cut(lines.Text(), " ")
			nanoseconds, _ := strconv.ParseInt(at, 10, 64)
			all <- arrival{what, time.Unix(0, nanoseconds)}
		}
	}()
	s.arrives(all, "listens", time.Time{})
	return all
}

// arrives returns when something that was sent after a time has arrived at the receiver.
func (s *scene) arrives(arrived <-chan arrival, what string, since time.Time) time.Time {
	s.Helper()
	for {
		select {
		case one, isOpen := <-arrived:
			if !isOpen {
				s.Fatal("the receiver has ended")
			}
			if one.what == what && one.at.After(since) {
				return one.at
			}
		case <-s.ctx.Done():
			s.Fatal("the receiver hears nothing")
		}
	}
}
