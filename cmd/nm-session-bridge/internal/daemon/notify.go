package daemon

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// lastWordsTime is for how long the end of the process waits until the service
// manager has taken the last message.
const lastWordsTime = time.Second

// notifier passes messages on to the service manager (sd_notify(3)) on its own
// goroutine. A write blocks while the manager does not read, and its socket has room
// for some ten messages. Among the waiting messages, newer values replace older ones.
type notifier struct {
	send func(message string)
	news chan struct{} // has room for one; closed at the end
	done chan struct{} // closed when everything is sent after that

	mu      sync.Mutex
	waiting map[string]string // values by name, such as READY
}

func newNotifier(send func(message string)) *notifier {
	n := &notifier{send: send, news: make(chan struct{}, 1), done: make(chan struct{}), waiting: map[string]string{}}
	go func() {
		defer close(n.done)
		for range n.news {
			n.send(n.take())
		}
	}()
	return n
}

// notify leaves a message of lines such as READY=1, and does not wait.
func (n *notifier) notify(message string) {
	n.mu.Lock()
	for line := range strings.SplitSeq(message, "\n") {
		name, value, _ := strings.Cut(line, "=")
		n.waiting[name] = value
	}
	n.mu.Unlock()
	select {
	case n.news <- struct{}{}:
	default:
	}
}

func (n *notifier) take() (message string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(n.waiting)) {
		lines = append(lines, name+"="+n.waiting[name])
	}
	clear(n.waiting)
	return strings.Join(lines, "\n")
}

// end leaves the last message, and gives the manager some time to take it.
func (n *notifier) end(message string) {
	n.notify(message)
	close(n.news)
	select {
	case <-n.done:
	case <-time.After(lastWordsTime):
	}
}

// tellManager sends a message to the service manager, if there is one. It ignores
// errors: without a manager nobody would read about them.
func tellManager(message string) {
	// systemd treats a backslash as the beginning of an escape and drops it (seen
	// with systemd 252).
	_, _ = sd.SdNotify(false, strings.ReplaceAll(message, `\`, `\\`))
}
