package sandbox

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// CheckMode is how the server of NetworkManager's connectivity check answers.
type CheckMode string

// The ways to answer.
const (
	Full           CheckMode = "full"            // as the internet does
	PortalRedirect CheckMode = "portal-redirect" // sends the client to a login page
	PortalBody     CheckMode = "portal-body"     // serves a login page in place of the answer
	LimitedRefuse  CheckMode = "limited-refuse"  // takes no connections
	Hang           CheckMode = "hang"            // takes the request and never answers
)

// CheckModes lists the modes.
func CheckModes() []CheckMode {
	return []CheckMode{Full, PortalRedirect, PortalBody, LimitedRefuse, Hang}
}

// checkAnswer is what NetworkManager expects at the beginning of the body.
const checkAnswer = "NetworkManager is online"

// Check is the server of NetworkManager's connectivity check, at the uplink. It is safe for
// concurrent use.
type Check struct {
	uplink *Uplink

	mu       sync.Mutex
	mode     CheckMode
	listener net.Listener // nil while connections are refused
	server   *http.Server
	change   chan struct{} // closed when the mode changes
}

func newCheck(uplink *Uplink, mode CheckMode) (*Check, error) {
	c := &Check{uplink: uplink, mode: LimitedRefuse, change: make(chan struct{})}
	return c, c.Set(mode)
}

// Set changes how requests are answered. Requests that hang are dropped.
func (c *Check) Set(mode CheckMode) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mode = mode
	close(c.change)
	c.change = make(chan struct{})
	switch {
	case mode == LimitedRefuse:
		return c.close()
	case c.listener == nil:
		return c.listen()
	}
	return nil
}

// listen is called with mu held.
func (c *Check) listen() error {
	var listener net.Listener
	err := c.uplink.do(func() error {
		var err error
		listener, err = net.Listen("tcp4", UplinkAddress+":80")
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot serve the connectivity check: %w", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(c.answer), ErrorLog: log.New(io.Discard, "", 0)}
	server.SetKeepAlivesEnabled(false)
	c.listener, c.server = listener, server
	go func() {
		_ = server.Serve(listener) // until close
	}()
	return nil
}

// close is called with mu held. Connections are refused when it returns.
func (c *Check) close() error {
	if c.listener == nil {
		return nil
	}
	err := c.listener.Close()
	_ = c.server.Close() // drops open connections; the error only says that its listener is closed already
	c.listener = nil
	return err
}

// answer answers one probe.
func (c *Check) answer(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	mode, change := c.mode, c.change
	c.mu.Unlock()
	switch mode {
	case PortalRedirect:
		http.Redirect(w, r, "http://portal.example/login", http.StatusFound)
	case PortalBody:
		_, _ = io.WriteString(w, "<html><title>Please sign in</title></html>\n")
	case Hang:
		select {
		case <-change:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler) // no answer, not even an empty one
	default:
		_, _ = io.WriteString(w, checkAnswer+"\n")
	}
}
