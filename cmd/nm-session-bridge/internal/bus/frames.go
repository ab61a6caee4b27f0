package bus

import (
	"bufio"

	"github.com/godbus/dbus/v5"
)

const (
	// largestFields bounds the header fields: a path, and an interface, a member,
	// two names and a signature of at most 255 bytes each.
	largestFields = 4 << 10
	// largestSignal bounds a signal or a call. NetworkManager's longest signal lists
	// its connections at some 60 bytes each.
	largestSignal = 64 << 10
	// largestReply bounds an answer. The user manager's list of jobs takes some 250
	// bytes for each job.
	largestReply = 4 << 20
)

// frames passes on a connection's messages, one frame at a time, and drops those
// that must not be decoded: messages that are too large, messages from strangers, and
// signals that concern nobody here. If a call must be answered but not decoded, it drops only the
// arguments.
type frames struct {
	in *bufio.Reader
	// believes reports whether to decode a sender's answers. hears reports whether to
	// decode a sender's signals about an object.
	believes func(sender string) bool
	hears    func(sender string, of dbus.ObjectPath) bool
	// answers reports whether to answer calls at all. serves reports whether to
	// decode calls whose arguments have a signature.
	answers func() bool
	serves  func(signature string) bool
	// dropped is called for a signal of a believed sender that was too large.
	dropped func(sender string)

	begun   bool   // whether authentication is over and messages follow
	room    []byte // for the header of the present frame
	pending []byte // the part of the header that was read but not passed on
	body    int64  // how many bytes of its body are still to come
}

// Read implements [io.Reader]. It never reads past the end of a message, so each
// message is judged after the ones before it have been handled.
func (f *frames) Read(p []byte) (int, error) {
	if !f.begun || len(p) == 0 {
		return f.in.Read(p)
	}
	for len(f.pending) == 0 && f.body == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	if len(f.pending) > 0 {
		n := copy(p, f.pending)
		f.pending = f.pending[n:]
		return n, nil
	}
	n, err := f.in.Read(p[:min(int64(len(p)), f.body)])
	f.body -= int64(n)
	return n, err
}

// next reads the header of the next message, and skips a message that is not to
// be decoded.
func (f *frames) next() error {
	h, err := readHeader(f.in, largestFields, f.room)
	if err != nil {
		return err
	}
	if h.raw != nil {
		f.room = h.raw // so that a flood of skipped messages does not fill the heap
	}
	switch {
	case f.isWelcome(h):
		f.pending, f.body = h.raw, h.body
		return nil
	case h.legible && h.wantsAnswer() && f.answers():
		f.pending = h.withBytes()
	}
	return skip(f.in, h.body)
}

// isWelcome reports whether a message is to be decoded. A call of ours whose
// answer is dropped runs into its deadline.
func (f *frames) isWelcome(h header) bool {
	switch {
	case !h.legible:
		return false
	case h.kind == dbus.TypeMethodCall:
		return f.serves(string(h.fields.signature)) && h.body <= largestSignal
	case h.kind != dbus.TypeSignal:
		return f.believes(h.fields.sender) && h.body <= largestReply
	case !f.hears(h.fields.sender, h.fields.path):
		return false
	case h.body > largestSignal:
		f.dropped(h.fields.sender)
		return false
	}
	return true
}
